"""Invariants of every change: 16 kHz, float32, samples within full scale, and a minimum length."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples

RATE = 16000
"""Sample rate in Hz of all clips, noises and impulse responses."""

SHORTEST = 4800
"""Shortest result of a change in samples (0.3 s, the shortest input of a model), unless the clip is shorter."""


def power(samples: Samples) -> float:
    """Return the mean square of samples of shape [n], n >= 1."""
    return float(np.dot(samples, samples)) / len(samples)


def bounded(samples: npt.NDArray[np.floating]) -> Samples:
    """Attenuate the whole clip if it exceeds [-1, 1]; clipping the peaks would add harmonics.

    Args:
        samples: shape [n], float, finite.

    Returns:
        Shape [n], float32 in [-1, 1]; the same array if it needs no change.

    >>> bounded(np.array([0.5, -2.0])).tolist()
    [0.25, -1.0]
    """
    peak = float(np.abs(samples).max(initial=0.0))
    return np.asarray(samples / peak if peak > 1 else samples, np.float32)


def levelled(samples: npt.NDArray[np.floating], like: Samples) -> Samples:
    """Scale to the power of another clip, or to less if the result would exceed [-1, 1]; silence stays silent.

    Args:
        samples: shape [n], float.
        like: the clip with the target power, shape [m], float32.

    Returns:
        Shape [n], float32 in [-1, 1].
    """
    samples = np.asarray(samples, np.float32)
    present = power(samples)
    if present == 0:
        return samples
    return bounded(samples * np.float32(math.sqrt(power(like) / present)))


def fitted(samples: Samples, n: int) -> Samples:
    """Cut samples of shape [m] at the end, or append zeros, to shape [n]."""
    return samples[:n] if len(samples) >= n else np.pad(samples, (0, n - len(samples)))
