"""Decode m4a, webm and the audio tracks of videos with PyAV (extra `media`)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, BinaryIO

import numpy as np

from emovox.audio.source import open_bytes
from emovox.audio.types import Samples
from emovox.schema.errors import EmptyAudioError, UndecodableError
from emovox.schema.extras import require

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "mp4"),
    (4, b"moov", "mp4"),
    (4, b"mdat", "mp4"),
    (4, b"wide", "mp4"),
    (4, b"free", "mp4"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"\xff\xf1", "aac"),
    (0, b"\xff\xf9", "aac"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "asf"),
    (0, b"FLV\x01", "flv"),
    (8, b"AVI ", "avi"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (0, b"#!AMR", "amr"),
)
"""Containers: offset and value of their first bytes, and the name of ffmpeg's demuxer."""

_MOST_PIECES = 4096
"""Most packets in a block. A packet may hold a single sample, and the reader can stop only between blocks."""


def demuxer_of(head: bytes) -> str | None:
    r"""Return the demuxer of a container that needs PyAV.

    Args:
        head: first bytes of the file; 12 are enough.

    Returns:
        Name of ffmpeg's demuxer ("mp4" also for m4a, mov and 3gp; "matroska" also for webm), or None for others.

    >>> demuxer_of(b"\x00\x00\x00\x20ftypM4A ")
    'mp4'
    >>> demuxer_of(b"RIFF\x24\x00\x00\x00WAVEfmt ") is None
    True
    """
    return next((name for offset, magic, name in _MAGIC if head.startswith(magic, offset)), None)


def second_try(head: bytes) -> str | None:
    """Return the demuxer for a container that libsndfile reads, with a codec that it does not (Speex, G.729 …).

    Args:
        head: first bytes of the file.

    Returns:
        "wav" or "ogg" if the content is one of them and PyAV is installed, else None.
    """
    if find_spec("av") is None:
        return None
    return {b"RIFF": "wav", b"OggS": "ogg"}.get(head[:4])


class MediaDecoder:
    """A decoder for the first audio track of a container.

    The caller chooses the demuxer, and Python opens the file: no file name can make ffmpeg read a playlist or a network
    address. The rate is that of the first decoded frame, since the header of HE-AAC has half of it.

    Args:
        source: a path, or an open seekable file.
        demuxer: name from `demuxer_of` or `second_try`.
        name: name of the recording in messages.

    Raises:
        MissingExtraError: PyAV is not installed.
        UndecodableError: ffmpeg cannot read the container, or the container has no audio track.
        EmptyAudioError: the audio track has no samples.
    """

    def __init__(self, source: str | BinaryIO, *, demuxer: str, name: str) -> None:
        require("av", need=f"decoding {name} ({demuxer})", extra="media")
        import av  # takes 0.6 s: it loads ffmpeg's libraries

        self.damage: str | None = None
        # PyAV raises these on damaged data: ffmpeg's errors, and Python's where the data are inconsistent.
        self._failures = (av.FFmpegError, IndexError, ValueError, NotImplementedError)
        self._converter: Any = None
        file = open_bytes(source) if isinstance(source, str) else source
        file.seek(0)  # libsndfile may have read from it
        self._opened_file = file if isinstance(source, str) else None
        try:
            self._container: Any = av.open(_Unnamed(file), format=demuxer, metadata_errors="replace")
        except self._failures as error:
            self._close_opened_file()
            raise UndecodableError(
                f"{name}: got {demuxer} data that ffmpeg cannot read ({_reason(error)}), "
                "expected a complete file; copy or convert it again"
            ) from error
        try:
            self._start(demuxer, name)
        except (UndecodableError, EmptyAudioError):
            self.close()
            raise

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [channels, n], float32, n about `frames` or less, to the end or the first damage."""
        held: list[Samples] = []
        count = 0
        for piece in self._pieces():
            held.append(piece)
            count += piece.shape[1]
            if count >= frames or len(held) >= _MOST_PIECES:
                yield np.concatenate(held, axis=1)
                held, count = [], 0
        if held:
            yield np.concatenate(held, axis=1)

    def close(self) -> None:
        """Close the container; a file that the caller opened stays open."""
        self._container.close()
        self._close_opened_file()

    def _start(self, demuxer: str, name: str) -> None:
        if not self._container.streams.audio:
            raise UndecodableError(f"{name}: got {demuxer} without an audio track, expected one; choose another file")
        track = self._container.streams.audio[0]
        self._packets: Iterator[Any] = self._container.decode(track)
        try:
            self._first: Any = next(self._packets, None)
        except self._failures as error:
            raise UndecodableError(
                f"{name}: got an audio track that ffmpeg cannot decode ({_reason(error)}), expected aac, opus, …; "
                "convert the file to wav or flac"
            ) from error
        if self._first is None:
            raise EmptyAudioError(f"{name}: got an audio track with 0 samples, expected at least one")
        self.rate = int(self._first.sample_rate)
        self.channels = len(self._first.layout.channels)
        self.frames = self._promised(track)

    def _promised(self, track: Any) -> int | None:
        if track.duration is not None and track.time_base:
            return int(float(track.duration * track.time_base) * self.rate + 0.5)
        # The duration of a container is that of its longest track, so it holds for the audio only if there is no other.
        if self._container.duration is not None and len(self._container.streams) == 1:
            return int(self._container.duration / 1_000_000 * self.rate + 0.5)
        return None

    def _pieces(self) -> Iterator[Samples]:
        for some in (self._decoded, self._rest):  # the converter still holds good samples after damage
            try:
                yield from some()
            except self._failures as error:
                self.damage = self.damage or f"decoding stopped: {_reason(error)}"

    def _decoded(self) -> Iterator[Samples]:
        frame, given = self._first, None
        while frame is not None:
            if given != (given := (frame.sample_rate, frame.layout.name, frame.format.name)):
                # A track may change its rate or channels midway, and PyAV's converter stays set to its first input.
                yield from self._rest()
                self._converter = self._to_float()
            yield from _arrays(self._converter, frame)
            frame = next(self._packets, None)

    def _rest(self) -> Iterator[Samples]:
        yield from _arrays(self._converter, None)

    def _to_float(self) -> Any:
        import av

        # Interleaved: for planar frames of 8 or more channels, PyAV 18 reads past the end of the list of planes.
        return av.AudioResampler(format="flt", layout=self._first.layout, rate=self.rate)

    def _close_opened_file(self) -> None:
        if self._opened_file is not None:
            self._opened_file.close()


def _arrays(converter: Any, frame: Any) -> list[Samples]:
    parts = [] if converter is None else converter.resample(frame)
    return [part.to_ndarray().reshape(-1, len(part.layout.channels)).T for part in parts]


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


class _Unnamed:
    """An open file without its name: PyAV accepts only text as a name, and would guess the format from it."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell
