"""Another sample rate for audio that comes piece by piece."""

from __future__ import annotations

import numpy as np

from emovox.audio.types import Samples


class Resampler:
    """Resample as soxr does at its usual quality; what it gives is up to 115 ms behind what it took.

    Args:
        rate: of what comes, in Hz.
        target: of what is given, in Hz.
        channels: rows of the samples, >= 1.
    """

    def __init__(self, rate: int, target: int, channels: int) -> None:
        import soxr  # 4 ms, and not needed when the rates agree

        self._channels = channels
        self._stream = soxr.ResampleStream(rate, target, channels, dtype="float32")

    def feed(self, samples: Samples) -> Samples:
        """Take [channels, n] float32; give [channels, m], what is settled by now."""
        return self._resampled(samples, last=False)

    def flush(self) -> Samples:
        """Give what is left, as if silence followed; nothing may be fed afterwards."""
        return self._resampled(np.empty((self._channels, 0), np.float32), last=True)

    def _resampled(self, samples: Samples, *, last: bool) -> Samples:
        return np.ascontiguousarray(self._stream.resample_chunk(np.ascontiguousarray(samples.T), last=last).T)
