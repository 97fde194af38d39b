"""Audio that comes as time goes by: from a microphone, a pipe, or a file played as if it were spoken now."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from emovox.audio.decode import Decoder
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


class Played(LiveSource):
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
