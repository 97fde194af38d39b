"""Generated audio in every format; no recording of a person."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.audio.types import Samples

Encode = Callable[..., bytes]

LAYOUTS = {1: "mono", 2: "stereo", 8: "7.1"}
"""Number of channels → name of the layout in ffmpeg, which some codecs need."""


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture
def tone() -> Callable[..., Samples]:
    """[n] of a sine at 440 Hz and amplitude 0.3."""

    def make(seconds: float, rate: int, *, hz: float = 440.0, level: float = 0.3) -> Samples:
        return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)

    return make


@pytest.fixture
def encode() -> Encode:
    """Encode [channels, n] with libsndfile, second by second (the Vorbis encoder overflows on long writes)."""

    def make(samples: Samples, rate: int, *, kind: str = "WAV", subtype: str | None = None) -> bytes:
        rows = np.atleast_2d(samples).T
        buffer = io.BytesIO()
        with soundfile.SoundFile(buffer, "w", rate, rows.shape[1], subtype=subtype, format=kind) as file:
            for start in range(0, len(rows), rate):
                file.write(rows[start : start + rate])
        return buffer.getvalue()

    return make


@pytest.fixture
def encode_media(tmp_path: Path) -> Encode:
    """Encode [channels, n] with ffmpeg; `picture` adds a video track, `sound=False` leaves the audio out."""
    av = pytest.importorskip("av", reason="the extra 'media' is not installed")

    def make(
        samples: Samples, rate: int, *, container: str, codec: str, picture: bool = False, sound: bool = True
    ) -> bytes:
        rows = np.atleast_2d(samples)
        path = tmp_path / "encoded"  # a real file, since ffmpeg reopens it to move the index to the front
        options = {"movflags": "faststart"} if container in ("mp4", "ipod") else {}
        with av.open(str(path), "w", format=container, options=options) as output:
            if picture:
                video = output.add_stream("mpeg4", rate=25, width=64, height=64, pix_fmt="yuv420p")
            if sound:
                layout = LAYOUTS.get(len(rows), f"{len(rows)} channels")
                audio = output.add_stream(codec, rate=rate, layout=layout)
                to_codec = av.AudioResampler(format=audio.codec_context.format.name, layout=layout, rate=rate)
                size = audio.codec_context.frame_size or 1024
                for start in range(0, rows.shape[1], size):
                    interleaved = rows[:, start : start + size].T.reshape(1, -1)  # PyAV takes no 8 planes
                    frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=layout)
                    frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
                    output.mux([packet for part in to_codec.resample(frame) for packet in audio.encode(part)])
                output.mux(audio.encode(None))
            if picture:
                for _ in range(5):
                    output.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
                output.mux(video.encode(None))
        return path.read_bytes()

    return make
