"""Features of the waveform: root mean square and zero-crossing rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples
from emovox.features.compiled import compiled
from emovox.features.signal import mono, n_frames, pad
from emovox.features.spectrum import Frames

ZERO = 1e-10
"""Samples within ± this count as 0, so as not negative, as in librosa.zero_crossings."""

SUM_ANY_ORDER = frozenset({"contract", "reassoc", "nsz"})
"""Fast-math flags with which LLVM sums squares in vector lanes: ten times faster, and with less rounding."""


def rms(samples: Samples, *, length: int = 512, hop: int = 160) -> Frames:
    """Compute the root mean square of centred frames, with zeros beyond the ends, as librosa.feature.rms.

    Args:
        samples: shape [n], float32.
        length: frame length in samples, even.
        hop: step between frames in samples.

    Returns:
        Shape [t], float32, in the unit of the samples, t = 1 + n // hop.

    Raises:
        AudioError: `samples` is not one channel of finite numbers (see `signal.mono`).
        ConfigError: `length` is odd.

    >>> rms(np.full(1024, 0.5, np.float32))[2:4].tolist()
    [0.5, 0.5]
    """
    samples = mono(samples)
    return _root_mean_squares(pad(samples, length=length, hop=hop), n_frames(samples.size, hop), length, hop)


def zero_crossing_rate(samples: Samples, *, length: int = 512, hop: int = 160) -> Frames:
    """Compute the share of samples in centred frames whose sign differs from the previous sample.

    As in librosa.feature.zero_crossing_rate, the first and last sample extend the ends, which adds no crossing.

    Args:
        samples: shape [n], float32.
        length: frame length in samples, even.
        hop: step between frames in samples.

    Returns:
        Shape [t], float32 in [0, 1), t = 1 + n // hop.

    Raises:
        AudioError: `samples` is not one channel of finite numbers (see `signal.mono`).

    >>> zero_crossing_rate(np.tile(np.float32([1, -1]), 512))[2:4].tolist()
    [0.998046875, 0.998046875]
    """
    samples = mono(samples)
    return _crossing_rates(samples < -ZERO, n_frames(samples.size, hop), length, hop)


@compiled(SUM_ANY_ORDER)
def _root_mean_squares(padded: Samples, count: int, length: int, hop: int) -> Frames:
    result = np.empty(count, np.float32)
    for t in range(count):
        total = np.float32(0)
        frame = padded[t * hop : t * hop + length]
        for i in range(length):
            total += frame[i] * frame[i]
        result[t] = np.sqrt(total / length)
    return result


@compiled()
def _crossing_rates(negative: npt.NDArray[np.bool_], count: int, length: int, hop: int) -> Frames:
    result = np.empty(count, np.float32)
    for t in range(count):
        start = t * hop - length // 2
        inside = negative[max(start, 0) : min(start + length, negative.size)]
        crossings = 0
        for i in range(1, inside.size):
            crossings += inside[i] != inside[i - 1]
        result[t] = crossings / length
    return result
