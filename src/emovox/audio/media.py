"""Decode m4a, webm and the audio tracks of videos with PyAV (extra `media`), on the clock of the container."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from emovox.audio.types import TOLERATED_LOSS, Samples
from emovox.audio.view import FileView
from emovox.schema.errors import EmptyAudioError, TrackError, UndecodableError
from emovox.schema.extras import require
from emovox.schema.result import Notice

_LIMITS = {"max_streams": "64", "probesize": "5000000", "analyzeduration": "5000000"}
"""Most streams of a container, and what ffmpeg may read in bytes and µs before the first packet."""

_MOST_PIECES = 4096
"""Most packets in a block. A packet may hold a single sample, and the reader can stop only between blocks."""

_BAD_PACKETS = 100
"""Bad packets before the first good one, after which a track counts as undecodable."""

_TOLERATED_PACKETS = 4
"""Bad packets, of 20 ms each, that are no loss to speak of."""

SILENCED = "silence is in their place"
"""Ends the reason of a damage behind which the sound goes on."""

_BROADCAST = ("mpegts", "mpeg")
"""Containers whose clock begins anywhere and may jump."""

_CLOCK_JUMP = 10.0
"""Seconds: a gap in a broadcast that is longer is a jump of its clock."""

_LONGEST_GAP = 4 * 3600.0
"""Seconds: a gap that is longer is an error of the clock in any container."""

_ESTIMATED = ("aac", "mp3", "amr", "ac3", "eac3", "dts", "loas", "mpegts", "mpeg")
"""Demuxers whose length in seconds is an estimate from a bit rate."""

_SILENCE = 2**16
"""Samples of silence in a block."""


class MediaDecoder:
    """A decoder for one audio track of a container.

    The caller chooses the demuxer, and Python opens the file: no file name can make ffmpeg read a playlist or a network
    address. The rate is that of the first decoded frame, since the header of HE-AAC has half of it. Where the times of
    the container leave a gap (sound that starts later than the picture, a muted microphone, silence that a call does
    not send, damaged packets), silence fills it, so that seconds of the samples are seconds of the container.

    Args:
        view: the file.
        demuxer: ffmpeg's name of its form.
        name: name of the recording in messages.
        track: number of the audio track, from 0; None takes the default track, or else the first.

    Raises:
        MissingExtraError: PyAV is not installed.
        UndecodableError: ffmpeg cannot read the container, or the container has no audio track.
        TrackError: there is no such track.
        EmptyAudioError: the audio track has no samples.
    """

    is_exact = False

    def __init__(self, view: FileView, *, demuxer: str, name: str, track: int | None = None) -> None:
        require("av", need=f"decoding {name} ({demuxer})", extra="media")
        import av  # takes 0.2 s: it loads ffmpeg's libraries

        self.damage: str | None = None
        self.notices: tuple[Notice, ...] = ()
        # PyAV raises these on damaged data: ffmpeg's errors, and Python's where the data are inconsistent.
        self._failures = (av.FFmpegError, IndexError, ValueError, NotImplementedError)
        self._converter: Any = None
        self._view, self._name, self._demuxer = view, name, demuxer
        self._bad, self._reason, self._position = 0, "", 0
        self._cut = False  # whether the last packet was bad
        view.seek(0)
        try:
            self._container: Any = av.open(view, format=demuxer, metadata_errors="replace", options=_LIMITS)
        except (*self._failures, MemoryError) as error:
            view.raise_error()
            raise UndecodableError(
                f"{name}: got {demuxer} data that ffmpeg cannot read ({_reason(error)}), "
                "expected a complete file; copy or convert it again"
            ) from error
        try:
            self._start(track)
        except BaseException:
            self._container.close()
            raise

    @property
    def share(self) -> float:
        """Share of the file that was read, 0 to 1: of its bytes, not of its seconds."""
        return self._view.furthest / max(self._view.size, 1)

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [channels, n], float32, n about `frames` or less, to the end or the last damage."""
        held: list[Samples] = []
        count = 0
        for piece in self._timed():
            held.append(piece)
            count += piece.shape[1]
            if count >= frames or len(held) >= _MOST_PIECES:
                yield np.concatenate(held, axis=1)
                held, count = [], 0
        if held:
            yield np.concatenate(held, axis=1)
        self._view.raise_error()
        self._judge()

    def close(self) -> None:
        """Close the container, and the file if it was opened here."""
        self._container.close()
        self._view.close()

    def _start(self, wanted: int | None) -> None:
        tracks = self._container.streams.audio
        if not tracks:
            raise UndecodableError(
                f"{self._name}: got {self._demuxer} without an audio track, expected one; choose another file"
            )
        number = self._choose(tracks, wanted)
        self._track: Any = tracks[number]
        self._frames = self._decoded()
        self._first: Any = next(self._frames, None)
        self._view.raise_error()
        if self._first is None and self._reason:
            raise UndecodableError(
                f"{self._name}: got an audio track that ffmpeg cannot decode ({self._reason}), expected aac, opus, …; "
                "convert the file to wav or flac"
            )
        if self._first is None:
            raise EmptyAudioError(f"{self._name}: got an audio track with 0 samples, expected at least one")
        self.rate = int(self._first.sample_rate)
        self.channels = len(self._first.layout.channels)
        self.frames = self._claimed()
        self._origin = (self._container.start_time or 0) / 1e6 if self._demuxer in _BROADCAST else 0.0

    def _choose(self, tracks: Any, wanted: int | None) -> int:
        number = wanted
        if number is None:
            number = next((n for n, track in enumerate(tracks) if int(track.disposition) & 1), 0)
        if not 0 <= number < len(tracks):
            raise TrackError(
                f"{self._name}: got track {number}, expected 0 to {len(tracks) - 1} (audio tracks in this file: "
                f"{len(tracks)}); choose one of them"
            )
        if len(tracks) > 1 and wanted is None:
            others = ", ".join(_described(n, track) for n, track in enumerate(tracks) if n != number)
            self.notices = (
                Notice(
                    "tracks",
                    f"track {_described(number, tracks[number])} of {len(tracks)} audio tracks was analysed, the "
                    f"others were not: {others}; choose one with --track N",
                ),
            )
        return int(number)

    def _claimed(self) -> int | None:
        if self._demuxer in _ESTIMATED:
            return None
        if self._track.duration is not None and self._track.time_base:
            return int(float(self._track.duration * self._track.time_base) * self.rate + 0.5)
        # The duration of a container is that of its longest track, so it holds for the audio only if there is no other.
        if self._container.duration is not None and len(self._container.streams) == 1:
            return int(self._container.duration / 1_000_000 * self.rate + 0.5)
        return None

    def _decoded(self) -> Iterator[Any]:
        """Yield the decoded frames; a bad packet is left out, an error of the container is the end."""
        good = False
        try:
            for packet in self._container.demux(self._track):
                try:
                    frames = packet.decode()
                    self._cut = self._cut and not packet.size  # the last, empty one flushes the decoder
                except self._failures as error:
                    self._cut = True
                    self._bad, self._reason = self._bad + 1, _reason(error)
                    if not good and self._bad > _BAD_PACKETS:
                        return
                    continue
                good = good or bool(frames)
                yield from frames
        except self._failures as error:
            self._reason = _reason(error)
            self.damage = f"decoding stopped: {self._reason}"

    def _timed(self) -> Iterator[Samples]:
        """Yield the samples and, where the clock of the container leaves a gap, silence."""
        shift = 0.0  # seconds by which the clock jumped
        frame, given = self._first, None
        try:
            while frame is not None:
                if given != (given := (frame.sample_rate, frame.layout.name, frame.format.name)):
                    # A track may change its rate or channels midway; PyAV's converter stays set to its first input.
                    yield from self._counted(self._rest())
                    self._converter = self._to_float()
                if frame.pts is not None and frame.time_base:
                    gap = float(frame.pts * frame.time_base) - self._origin - shift - self._position / self.rate
                    if gap > (_CLOCK_JUMP if self._demuxer in _BROADCAST else _LONGEST_GAP):
                        shift += gap
                    elif gap > TOLERATED_LOSS or (self._position == 0 and gap > 0):
                        yield from self._counted(self._silence(round(gap * self.rate)))
                    elif gap < -_CLOCK_JUMP:
                        shift += gap
                yield from self._counted(_arrays(self._converter, frame))
                frame = next(self._frames, None)
        except self._failures as error:
            self.damage = self.damage or f"decoding stopped: {_reason(error)}"
        try:
            yield from self._counted(self._rest())  # the converter still holds good samples after damage
        except self._failures as error:
            self.damage = self.damage or f"decoding stopped: {_reason(error)}"

    def _counted(self, pieces: Iterable[Samples]) -> Iterator[Samples]:
        for piece in pieces:
            self._position += piece.shape[1]
            yield piece

    def _silence(self, count: int) -> Iterator[Samples]:
        for start in range(0, count, _SILENCE):
            yield np.zeros((self.channels, min(_SILENCE, count - start)), np.float32)

    def _judge(self) -> None:
        """Note packets that could not be decoded, and bytes that are missing at the end."""
        from emovox.audio.endings import missing_end  # here, since it is needed once

        if self.damage is None and self._bad > _TOLERATED_PACKETS:
            self.damage = f"{self._bad} packets are damaged ({self._reason}), {SILENCED}"
        if self.damage is None and self._cut and self._demuxer in _ESTIMATED:
            self.damage = "the last frame is not whole"
        self.damage = self.damage or missing_end(
            self._view, self._demuxer, self._track, seconds=self._position / self.rate
        )

    def _rest(self) -> Iterator[Samples]:
        yield from _arrays(self._converter, None)

    def _to_float(self) -> Any:
        import av

        # Interleaved: for planar frames of 8 or more channels, PyAV 18 reads past the end of the list of planes.
        return av.AudioResampler(format="flt", layout=self._first.layout, rate=self.rate)


def _described(number: int, track: Any) -> str:
    words = (track.codec_context.name if track.codec_context else "unknown codec", *_tags(track))
    return f"{number} ({', '.join(words)})"


def _tags(track: Any) -> Iterator[str]:
    for key in ("language", "title"):
        if value := track.metadata.get(key):
            yield "".join(letter for letter in value if letter.isprintable())[:40]


def _arrays(converter: Any, frame: Any) -> list[Samples]:
    parts = [] if converter is None else converter.resample(frame)
    return [part.to_ndarray().reshape(-1, len(part.layout.channels)).T for part in parts]


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "it needs too much memory"
    return str(getattr(error, "strerror", None) or error)
