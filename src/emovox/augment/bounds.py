"""What every change keeps: 16 kHz, float32, nothing beyond full scale, and no clip too short to be used."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples

RATE = 16000
"""Hz; all clips, noises and responses."""

SHORTEST = 4800
"""0.3 s, the least that a model takes: no change makes a clip shorter than this that was not so before."""


def power(samples: Samples) -> float:
    """Mean square of [n], n >= 1."""
    return float(np.dot(samples, samples)) / len(samples)


def bounded(samples: npt.NDArray[np.floating]) -> Samples:
    """Turn the whole clip down where it would leave [-1, 1]: cutting the peaks off would add harmonics.

    Args:
        samples: [n] float, finite.

    Returns:
        [n] float32 in [-1, 1], the same array where nothing is to be done.

    >>> bounded(np.array([0.5, -2.0])).tolist()
    [0.25, -1.0]
    """
    peak = float(np.abs(samples).max(initial=0.0))
    return np.asarray(samples / peak if peak > 1 else samples, np.float32)


def levelled(samples: npt.NDArray[np.floating], like: Samples) -> Samples:
    """Give `samples` [n] the power of `like` [m], or less where they would leave [-1, 1]; silence stays silent."""
    made = np.asarray(samples, np.float32)
    present = power(made)
    if present == 0:
        return made
    return bounded(made * np.float32(math.sqrt(power(like) / present)))


def fitted(samples: Samples, n: int) -> Samples:
    """Cut at the end, or add zeros there, to [n]."""
    return samples[:n] if len(samples) >= n else np.pad(samples, (0, n - len(samples)))
