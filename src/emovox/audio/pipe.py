"""Bare samples from a pipe, as they come: `arecord -f S16_LE -r 16000 -t raw | …`."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from emovox.audio.decode import MAX_RATE
from emovox.audio.live import LiveSource
from emovox.audio.types import Samples
from emovox.schema.errors import ConfigError

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
