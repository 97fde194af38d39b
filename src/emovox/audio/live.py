"""Live audio sources: the base class, a pipe, and a file that is played back in real time."""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import BinaryIO

from emovox.audio.decode import Decoder
from emovox.audio.encodings import WIDTHS, decode
from emovox.audio.types import MAX_RATE, RawFormat, Samples
from emovox.schema.errors import ConfigError, EmovoxError
from emovox.schema.result import Notice


class LiveSource(ABC):
    """A `Decoder` of live audio that another thread may stop, and that knows when each second was recorded.

    Args:
        rate: sample rate in Hz.
        channels: number of channels.
        seconds: length after which it ends, > 0; None continues until `stop` or the end of the source.

    Raises:
        ConfigError: `seconds` is not above 0.
    """

    frames: int | None = None
    """Length according to a header: live audio has none."""
    is_exact: bool = True
    notices: tuple[Notice, ...] = ()
    """What the user has to know of the source."""
    share: float = 1.0
    """Share of the source that was read: unknown of live audio."""
    damage: str | None = None
    """Why the audio ended before `stop` and before the end of the source; None if it did not."""
    failure: EmovoxError | None = None
    """The error behind `damage`; the caller raises it after it has analysed the audio received so far."""
    is_live: bool = True
    """Whether the audio arrives in real time."""
    overflows: int = 0
    """How often the sound system reported dropped audio; it does not report how much."""

    def __init__(self, *, rate: int, channels: int, seconds: float | None = None) -> None:
        if seconds is not None and not seconds > 0:
            raise ConfigError(f"seconds is {seconds}, expected more than 0")
        self.rate, self.channels = rate, channels
        self._most = None if seconds is None else max(1, round(min(seconds, 1e9) * rate))
        self._stopping = threading.Event()
        self._delivered = 0
        self._mark = (0.0, time.monotonic())

    @property
    def lost(self) -> float:
        """Length in seconds of the audio that is missing because the reader was too slow."""
        return 0.0

    @property
    def is_stopped(self) -> bool:
        """Return whether `stop` was called."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """End `blocks` soon; callable from any thread. Samples received before are still yielded."""
        self._stopping.set()

    def captured_at(self, second: float) -> float:
        """Return the time in seconds of `time.monotonic` at which the audio at `second` was recorded."""
        position, at = self._mark
        return at - (position - second)

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [channels, n], float32, as they arrive; n is about `frames`, or up to the device."""
        for samples, at in self._chunks(frames):
            if self._most is not None:
                samples = samples[:, : self._most - self._delivered]
            self._delivered += samples.shape[1]
            self._mark = (self._delivered / self.rate, at)
            yield samples
            if self._delivered == self._most:
                return

    @abstractmethod
    def close(self) -> None:
        """Release the device or the file."""

    @abstractmethod
    def _chunks(self, frames: int) -> Iterator[tuple[Samples, float]]:
        """Yield samples of shape [channels, n], float32, each with the time at which its last sample was recorded."""


class Playback(LiveSource):
    """A recording as a live source.

    Args:
        decoder: the opened recording.
        realtime: whether each block arrives when it would have been spoken; False yields blocks without delay.
        seconds: see `LiveSource`.
    """

    def __init__(self, decoder: Decoder, *, realtime: bool, seconds: float | None = None) -> None:
        super().__init__(rate=decoder.rate, channels=decoder.channels, seconds=seconds)
        self._decoder, self.is_live = decoder, realtime

    def close(self) -> None:
        """Close the recording."""
        self._decoder.close()

    def _chunks(self, frames: int) -> Iterator[tuple[Samples, float]]:
        begun, given = time.monotonic(), 0
        for block in self._decoder.blocks(frames):
            given += block.shape[1]
            due = begun + given / self.rate if self.is_live else time.monotonic()
            if self._stopping.wait(max(0.0, due - time.monotonic())):
                return
            yield block, due
        self.damage, self.notices = self._decoder.damage, self._decoder.notices


_POLL = 0.25
"""Seconds between checks of `stop` and `close` while a thread waits."""

_MOST_CHUNKS = 16
"""Chunks that wait in the queue; a full one makes the writer of the pipe wait."""


class RawPipe(LiveSource):
    """A pipe with bare samples of one channel, without a header.

    A separate thread reads, since a read may block forever. When the queue is full, the thread waits and so does the
    writer of the pipe; no audio is lost. If the pipe is silent, the thread may outlive `close`; it ends with the
    process.

    Args:
        pipe: unbuffered, so that a read returns the bytes that are available.
        raw: encoding and rate of the samples.
        seconds: see `LiveSource`.

    Raises:
        ConfigError: the rate or `seconds` is out of range.
    """

    def __init__(self, pipe: BinaryIO, raw: RawFormat, *, seconds: float | None = None) -> None:
        if not 1 <= raw.rate <= MAX_RATE:
            raise ConfigError(f"the sample rate is {raw.rate}, expected 1 to {MAX_RATE} Hz, such as 16000")
        super().__init__(rate=raw.rate, channels=1, seconds=seconds)
        self._pipe, self._encoding = pipe, raw.encoding
        self._read: queue.Queue[tuple[bytes, float]] = queue.Queue(_MOST_CHUNKS)
        self._closed = threading.Event()

    def close(self) -> None:
        """Stop reading; a thread that waits for room ends within 0.25 seconds. The pipe itself stays open."""
        self._closed.set()

    def _chunks(self, frames: int) -> Iterator[tuple[Samples, float]]:
        threading.Thread(
            target=self._pump, args=(frames * WIDTHS[self._encoding],), name="emovox-pipe", daemon=True
        ).start()
        odd, width = b"", WIDTHS[self._encoding]
        while not self._stopping.is_set():
            try:
                data, at = self._read.get(timeout=_POLL)
            except queue.Empty:
                continue
            if not data:
                return
            data = odd + data
            whole = len(data) // width * width
            odd = data[whole:]
            if whole:
                yield decode(data[:whole], encoding=self._encoding, channels=1), at

    def _pump(self, size: int) -> None:
        data = b"?"
        while data and not self._closed.is_set():
            try:
                data = self._pipe.read(size) or b""
            except OSError:  # the writer is gone: treated as the end of the stream
                data = b""
            self._hand_over(data)

    def _hand_over(self, data: bytes) -> None:
        at = time.monotonic()
        while not self._closed.is_set():
            try:
                self._read.put((data, at), timeout=_POLL)
            except queue.Full:
                continue
            return
