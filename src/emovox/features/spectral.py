"""Shape of the magnitude spectrum: centroid and roll-off."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.features.compiled import CONTRACT, compiled
from emovox.features.spectrum import Frames


def centroid(power: Frames, frequencies: npt.NDArray[np.float64]) -> Frames:
    """Compute the magnitude-weighted mean frequency, as librosa.feature.spectral_centroid.

    Args:
        power: |STFT|², shape [t, bins], float32; its root is the weight.
        frequencies: Hz, shape [bins].

    Returns:
        Hz, shape [t], float32; 0 for a frame without energy.

    >>> centroid(np.float32([[1, 0, 1], [0, 0, 0]]), np.array([0.0, 10.0, 20.0])).tolist()
    [10.0, 0.0]
    """
    return _centroids(power, frequencies)


def rolloff(power: Frames, frequencies: npt.NDArray[np.float64], *, share: float = 0.85) -> Frames:
    """Compute the lowest frequency up to which the magnitudes sum to `share` of their total, as librosa's roll-off.

    Args:
        power: |STFT|², shape [t, bins], float32; its root is summed.
        frequencies: Hz, shape [bins], ascending.
        share: share of the total, in (0, 1).

    Returns:
        Hz, shape [t], float32, one of `frequencies`; the lowest for a frame without energy.

    >>> rolloff(np.float32([[1, 1, 1, 1]]), np.array([0.0, 10.0, 20.0, 30.0]), share=0.7).tolist()
    [20.0]
    """
    return _rolloffs(power, frequencies, share)


@compiled(CONTRACT)
def _centroids(power: Frames, frequencies: npt.NDArray[np.float64]) -> Frames:
    count, bins = power.shape
    result = np.zeros(count, np.float32)
    for t in range(count):
        total, moment = 0.0, 0.0
        for k in range(bins):
            magnitude = np.sqrt(np.float64(power[t, k]))
            total += magnitude
            moment += magnitude * frequencies[k]
        if total > 0:
            result[t] = moment / total
    return result


@compiled(CONTRACT)
def _rolloffs(power: Frames, frequencies: npt.NDArray[np.float64], share: float) -> Frames:
    count, bins = power.shape
    result = np.empty(count, np.float32)
    for t in range(count):
        total = 0.0
        for k in range(bins):
            total += np.sqrt(np.float64(power[t, k]))
        reached, k = np.sqrt(np.float64(power[t, 0])), 0
        while reached < share * total and k < bins - 1:
            k += 1
            reached += np.sqrt(np.float64(power[t, k]))
        result[t] = frequencies[k]
    return result
