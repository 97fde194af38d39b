"""Time derivatives of feature tracks by Savitzky-Golay smoothing."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from emovox.features.compiled import CONTRACT, compiled
from emovox.features.spectrum import Frames
from emovox.schema.errors import ConfigError


def delta(track: Frames, *, width: int = 9, order: int = 1) -> Frames:
    """Estimate the derivative per frame: fit a polynomial of degree `order` to `width` frames around each frame.

    The derivative of order p of a polynomial of degree p is constant. So the frames at both ends, where librosa's mode
    "interp" fits the first and last `width` frames, repeat the value of the nearest complete window. With fewer than
    `width` frames one window of all frames is used. With `order` frames or fewer, too few for the polynomial, the
    derivative is 0. librosa refuses both cases.

    Args:
        track: shape [t, ...], float32, t >= 1.
        width: window in frames, odd, >= 3.
        order: order of the derivative, >= 1, below `width`.

    Returns:
        Shape of `track`, float32, in units of the track per frame**order.

    Raises:
        ConfigError: `width` is even or below 3, or `order` is out of range.

    Reference:
        Savitzky and Golay, Anal. Chem. 36 (1964); librosa.feature.delta with its defaults.

    >>> delta(2 * np.arange(12, dtype=np.float32)).round(5).tolist()[:3]
    [2.0, 2.0, 2.0]
    """
    if width < 3 or width % 2 == 0 or not 1 <= order < width:
        raise ConfigError(f"got width {width}, order {order}; expected an odd width >= 3 and 1 <= order < width")
    count = track.shape[0]
    if count <= order:
        return np.zeros_like(track)
    weights = savgol_weights(min(width, count), order)
    return _weighted_sums(np.ascontiguousarray(track.reshape(count, -1)), weights).reshape(track.shape)


@lru_cache(maxsize=16)
def savgol_weights(size: int, order: int) -> npt.NDArray[np.float32]:
    """Return the weights of shape [size] whose dot product with `size` frames is the derivative of their fit.

    >>> savgol_weights(3, 1).tolist()
    [-0.5, 0.0, 0.5]
    """
    positions = np.arange(size) - (size - 1) / 2
    fit = np.linalg.pinv(np.vander(positions, order + 1, increasing=True))
    weights: npt.NDArray[np.float32] = np.round(math.factorial(order) * fit[order], 15).astype(np.float32)
    weights += np.float32(0)  # turns the -0.0 that rounding leaves in the middle into 0.0
    weights.flags.writeable = False
    return weights


@compiled(CONTRACT)
def _weighted_sums(track: Frames, weights: npt.NDArray[np.float32]) -> Frames:
    count, size = track.shape[0], weights.size
    result = np.zeros_like(track)
    for t in range(count):
        start = min(max(t - (size - 1) // 2, 0), count - size)
        for i in range(size):
            for c in range(track.shape[1]):
                result[t, c] += weights[i] * track[start + i, c]
    return result
