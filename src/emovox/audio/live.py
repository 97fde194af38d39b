"""Audio that comes as time goes by: from a microphone, a pipe, or a file played as if it were spoken now."""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from emovox.audio.decode import MAX_RATE, Decoder
from emovox.audio.types import Samples
from emovox.schema.errors import ConfigError, EmovoxError


class LiveSource(ABC):
    """A source that another thread may stop, and that knows when each of its seconds was heard; a `Decoder`.

    Args:
        rate: of the samples, in Hz.
        channels: how many it gives.
        seconds: give so much and then stop, > 0; None to go on until `stop` or the end.

    Raises:
        ConfigError: `seconds` is not above 0.
    """

    frames: int | None = None
    """What a header promises: nothing does."""
    damage: str | None = None
    """Why the audio ended before it was stopped or over."""
    failure: EmovoxError | None = None
    """The error behind `damage`, to be raised when everything that was heard is finished."""
    is_live: bool = True
    """Whether the audio comes as fast as time goes by."""
    overflows: int = 0
    """Times that the sound system says it had to drop audio; how much it does not say."""

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
        """Seconds of audio that nobody took in time, and that are missing."""
        return 0.0

    @property
    def is_stopped(self) -> bool:
        """Whether somebody has asked to end."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """End `blocks` soon, from any thread; what was heard before is still given."""
        self._stopping.set()

    def captured_at(self, second: float) -> float:
        """Tell when the audio at `second` was heard, on the clock of `time.monotonic`."""
        position, at = self._mark
        return at - (position - second)

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples [channels, n] float32 as they come, n about `frames` or as the device gives them."""
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
        """Yield samples [channels, n] float32, each with the time at which its last one was heard."""


class Playback(LiveSource):
    """A recording as a live source.

    Args:
        decoder: the opened recording.
        realtime: give every second when it would have been spoken; False gives all as fast as it is taken.
        seconds: as in `LiveSource`.
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
        self.damage = self._decoder.damage


_WIDTH = 2
_POLL = 0.25
_MOST_CHUNKS = 16


class RawPipe(LiveSource):
    """Signed 16-bit little-endian samples of one channel, without a header.

    A thread of its own reads, since nobody can be sure that a pipe ever gives anything: it waits with a full queue,
    and so does the writer of the pipe; nothing is lost. It may outlive `close` when the pipe is silent, and ends with
    the process.

    Args:
        pipe: unbuffered, so that a read gives what is there.
        rate: of the samples, in Hz.
        seconds: as in `LiveSource`.

    Raises:
        ConfigError: `rate` or `seconds` out of range.
    """

    def __init__(self, pipe: BinaryIO, *, rate: int, seconds: float | None = None) -> None:
        if not 1 <= rate <= MAX_RATE:
            raise ConfigError(f"the sample rate is {rate}, expected 1 to {MAX_RATE} Hz, such as 16000")
        super().__init__(rate=rate, channels=1, seconds=seconds)
        self._pipe = pipe
        self._read: queue.Queue[tuple[bytes, float]] = queue.Queue(_MOST_CHUNKS)
        self._closed = threading.Event()

    def close(self) -> None:
        """Read no more; the pipe itself stays open."""
        self._closed.set()

    def _chunks(self, frames: int) -> Iterator[tuple[Samples, float]]:
        threading.Thread(target=self._pump, args=(frames * _WIDTH,), name="emovox-pipe", daemon=True).start()
        odd = b""
        while not self._stopping.is_set():
            try:
                data, at = self._read.get(timeout=_POLL)
            except queue.Empty:
                continue
            if not data:
                return
            data = odd + data
            whole = len(data) // _WIDTH * _WIDTH
            odd = data[whole:]
            if whole:
                samples = np.frombuffer(data[:whole], "<i2")[np.newaxis]
                yield np.multiply(samples, np.float32(2.0**-15), dtype=np.float32), at

    def _pump(self, size: int) -> None:
        data = b"?"
        while data and not self._closed.is_set():
            try:
                data = self._pipe.read(size) or b""
            except OSError:  # the other end is gone, as at its end
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
