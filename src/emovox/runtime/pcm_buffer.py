"""A buffer of the last seconds of a stream, addressed by position."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples

_FULL_SCALE = np.float32(32768)


class PcmBuffer:
    """A buffer of 16-bit integers, from a moving start to the end of the stream.

    It takes half the memory of float32 and makes all sources equal. A tile holds the samples of a 16-bit recording at
    its rate, exactly if the source is one. Values outside [-1, 1) are clipped.

    Args:
        slack: free samples after the buffer grows; the kept samples are copied once per `slack` samples, not per call.
            The default is half a second at 16 kHz.
    """

    def __init__(self, *, slack: int = 8000) -> None:
        self._slack = slack
        self._store: npt.NDArray[np.int16] = np.zeros(0, np.int16)
        self._used = 0
        self.start = 0
        """Position of the first sample in the buffer, in samples from the beginning of the stream."""

    @property
    def end(self) -> int:
        """Position after the last sample: the number of samples since the beginning of the stream."""
        return self.start + self._used

    @property
    def nbytes(self) -> int:
        """Memory of the buffer in bytes: two for each of the samples that it holds or has room for."""
        return self._store.nbytes

    def append(self, samples: Samples) -> None:
        """Add samples [n] float32 at the end."""
        if self._used + samples.size > self._store.size:
            grown = np.empty(self._used + samples.size + self._slack, np.int16)
            grown[: self._used] = self._store[: self._used]
            self._store = grown
        coded = np.clip(np.rint(samples * _FULL_SCALE), -32768, 32767)
        self._store[self._used : self._used + samples.size] = coded
        self._used += samples.size

    def cut(self, start: int, end: int) -> Samples:
        """Return a copy of the samples of [start, end), positions in the stream.

        Returns:
            Shape [end - start], float32.

        Raises:
            ValueError: some of the samples are not in the buffer.
        """
        if not self.start <= start <= end <= self.end:
            raise ValueError(f"got [{start}, {end}), expected a part of the kept [{self.start}, {self.end})")
        return self._store[start - self.start : end - self.start].astype(np.float32) / _FULL_SCALE

    def forget(self, before: int) -> None:
        """Allow the buffer to drop samples before this position; it does so once there are at least `slack` of them."""
        gone = min(before, self.end) - self.start
        if gone < self._slack:
            return
        self._store = np.concatenate([self._store[gone : self._used], np.empty(self._slack, np.int16)])
        self._used -= gone
        self.start += gone
