"""libsndfile's formats, whole and truncated."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from emovox.audio.containers import recognise
from emovox.audio.sndfile import FileDecoder
from emovox.audio.types import Samples
from emovox.audio.view import FileView

RATE = 16000
EXACT_16_BIT = 1 / 32768
"""Half a step of rounding and half of dithering at most."""

MP3_SEEK = 1e-7
"""`soundfile.read` seeks before it reads, after which mpg123 rounds differently; all others agree exactly."""

FORMATS = [("WAV", None), ("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None), ("AIFF", None)]


def decoded(data: bytes, frames: int = 4096) -> tuple[FileDecoder, Samples]:
    view = FileView(io.BytesIO(data))
    decoder = FileDecoder(view, recognise(view).form, name="x")
    blocks = list(decoder.blocks(frames))
    decoder.close()
    return decoder, np.concatenate([np.empty((decoder.channels, 0), np.float32), *blocks], axis=1)


@pytest.fixture
def speechlike(rng: np.random.Generator, tone: Callable[..., Samples]) -> Samples:
    """[2, 4 s]: a tone that swells, over noise."""
    swell = np.abs(np.sin(np.arange(4 * RATE) / RATE * 3)).astype(np.float32)
    noise = rng.standard_normal((2, 4 * RATE)).astype(np.float32)
    return (0.5 * tone(4.0, RATE) * swell + 0.02 * noise).astype(np.float32)


@pytest.mark.parametrize(("kind", "subtype"), FORMATS)
def test_whole_file(kind: str, subtype: str | None, speechlike: Samples, encode: Callable[..., bytes]) -> None:
    decoder, samples = decoded(encode(speechlike, RATE, kind=kind, subtype=subtype))
    assert decoder.damage is None
    assert (decoder.rate, decoder.channels, decoder.frames) == (RATE, 2, speechlike.shape[1])
    assert samples.shape == speechlike.shape
    assert np.corrcoef(samples[0], speechlike[0])[0, 1] > 0.9
    if kind in ("WAV", "FLAC", "AIFF"):
        assert np.abs(samples - speechlike).max() <= EXACT_16_BIT


@pytest.mark.parametrize("frames", [160, 3333])
@pytest.mark.parametrize(("kind", "subtype"), FORMATS)
def test_blocks_are_the_file(
    kind: str, subtype: str | None, frames: int, speechlike: Samples, encode: Callable[..., bytes]
) -> None:
    data = encode(speechlike, RATE, kind=kind, subtype=subtype)
    result = decoded(data, frames)[1]
    assert np.array_equal(result, decoded(data, 10**6)[1])  # bit by bit: no seeking between blocks
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    assert np.abs(result - expected.T).max() <= MP3_SEEK


@pytest.mark.parametrize(("kind", "subtype"), [*FORMATS[:4]])
def test_truncated_file_gives_its_beginning(
    kind: str, subtype: str | None, speechlike: Samples, encode: Callable[..., bytes]
) -> None:
    data = encode(speechlike, RATE, kind=kind, subtype=subtype)
    whole = decoded(data)[1]
    decoder, samples = decoded(data[: len(data) * 6 // 10], frames=10 * RATE)
    assert decoder.damage is not None
    assert 0.4 * whole.shape[1] < samples.shape[1] < 0.7 * whole.shape[1]
    assert np.array_equal(samples, whole[:, : samples.shape[1]])


def test_truncated_mp3_is_shorter_than_its_header(speechlike: Samples, encode: Callable[..., bytes]) -> None:
    data = encode(speechlike, RATE, kind="MP3")
    decoder, samples = decoded(data[: len(data) // 2])
    assert decoder.damage is not None
    assert samples.shape[1] < 0.6 * speechlike.shape[1]


def test_damage_names_the_bytes_that_are_missing(speechlike: Samples, encode: Callable[..., bytes]) -> None:
    data = encode(speechlike, RATE)
    total, cut = speechlike.size * 2, RATE
    assert decoded(data[:-cut])[0].damage == f"the header promises {total} bytes, {total - cut} are there"
    assert decoded(data[:-100])[0].damage is None  # 1.6 ms


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_wav_written_to_a_pipe_is_whole(size: int, speechlike: Samples, encode: Callable[..., bytes]) -> None:
    data = bytearray(encode(speechlike, RATE))
    for offset in (4, data.index(b"data") + 4):
        data[offset : offset + 4] = struct.pack("<I", size)
    decoder, samples = decoded(bytes(data))
    assert decoder.damage is None
    assert samples.shape == speechlike.shape


def test_flac_cut_inside_its_first_frame(speechlike: Samples, encode: Callable[..., bytes]) -> None:
    decoder, samples = decoded(encode(speechlike, RATE, kind="FLAC")[:2000])
    assert samples.shape == (2, 0)
    assert decoder.damage is not None
    assert "decoding stopped" in decoder.damage


def test_flac_damaged_in_the_middle_keeps_what_came_before(speechlike: Samples, encode: Callable[..., bytes]) -> None:
    data = encode(speechlike, RATE, kind="FLAC")
    middle = len(data) // 2
    decoder, samples = decoded(data[:middle] + bytes(5000) + data[middle + 5000 :])
    assert decoder.damage is not None
    assert samples.shape[1] >= 0.4 * speechlike.shape[1]
    intact = round(0.4 * speechlike.shape[1])
    assert np.abs(samples[:, :intact] - speechlike[:, :intact]).max() <= EXACT_16_BIT


def test_callers_file_stays_open(tone: Callable[..., Samples], encode: Callable[..., bytes]) -> None:
    file = io.BytesIO(encode(tone(0.1, RATE), RATE))
    FileDecoder(FileView(file), None, name="x").close()
    assert not file.closed


def test_flac_of_unknown_length(speechlike: Samples, encode: Callable[..., bytes]) -> None:
    """As from a pipe, or from a recording whose program was killed: the header has 0 for the number of samples."""
    data = bytearray(encode(speechlike, RATE, kind="FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    decoder, samples = decoded(bytes(data))
    assert decoder.frames is None
    assert np.abs(samples - speechlike).max() <= EXACT_16_BIT
