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
    """Estimate the derivative of given order a frame: fit a polynomial of that order to `width` frames around each.

    The derivative of order p of a polynomial of degree p is constant, so the frames at both ends, for which librosa's
    mode "interp" fits the first and last `width` frames, repeat the value of the nearest complete window. With fewer
    than `width` frames the same holds with one window of all of them; with too few for the polynomial (`order` frames
    or fewer) the derivative is 0. librosa refuses both.

    Args:
        track: [t, ...] float32, t >= 1.
        width: window in frames, odd, >= 3.
        order: 1 or more, below `width`.

    Returns:
        The shape of `track`, float32, per frame**order.

    Raises:
        ConfigError: an even or too small `width`, or an `order` out of range.

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
    """Return the weights [size] whose dot product with `size` frames is the derivative of `order` of their fit.

    >>> savgol_weights(3, 1).tolist()
    [-0.5, 0.0, 0.5]
    """
    positions = np.arange(size) - (size - 1) / 2
    fit = np.linalg.pinv(np.vander(positions, order + 1, increasing=True))
    # adding 0 turns the -0.0 that rounding leaves in the middle into 0.0
    weights: npt.NDArray[np.float32] = np.round(math.factorial(order) * fit[order], 15).astype(np.float32) + np.float32(
        0
    )
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
