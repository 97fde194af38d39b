"""Statistics of tracks over time: they turn any number of frames into a vector of fixed length."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emovox.features.compiled import compiled
from emovox.features.spectrum import Frames

PERCENTS = (5, 25, 50, 75, 95)
"""Percentiles of every track, with linear interpolation between order statistics, numpy's default."""

SHAPE_NAMES = ("mean", "std", *(f"p{percent}" for percent in PERCENTS))
"""Names of the columns of `shape_statistics`, in order."""

MIN_FRAMES = 3
"""Fewest voiced frames for statistics of pitch; with fewer the values are those of silence (see `functionals`)."""


def shape_statistics(tracks: Frames) -> Frames:
    """Compute mean, standard deviation and percentiles of each track.

    Args:
        tracks: shape [t, k], t >= 1.

    Returns:
        Shape [k, 7], float32, the columns named by `SHAPE_NAMES`; the deviation is that of the population.

    >>> shape_statistics(np.float32([[0], [2], [4]]))[0].tolist()[:4]
    [2.0, 1.632993221282959, 0.20000000298023224, 1.0]
    """
    columns = np.ascontiguousarray(tracks.T)
    mean = columns.mean(axis=1, keepdims=True)
    deviation = np.sqrt(np.square(columns - mean).mean(axis=1, keepdims=True))
    # numpy's vectorised sort takes 0.2 ms for 70 tracks of 300 frames, a tenth of the time of np.percentile.
    ordered = np.sort(columns, axis=1)
    return np.concatenate([mean, deviation, _percentiles(ordered)], axis=1).astype(np.float32)


def slopes(tracks: Frames) -> Frames:
    """Compute the rise of the least-squares line through each track from the first to the last frame.

    Args:
        tracks: shape [t, k], t >= 1.

    Returns:
        Shape [k], float32, in the unit of the track; 0 for a single frame.

    >>> slopes(np.float32([[1], [2], [3]])).tolist()
    [2.0]
    """
    count = len(tracks)
    if count < 2:
        return np.zeros(tracks.shape[1], np.float32)
    time = np.linspace(-0.5, 0.5, count, dtype=np.float32)
    rises: Frames = (time @ tracks) / np.square(time).sum()
    return rises.astype(np.float32)


def masked_slope(track: Frames, mask: npt.NDArray[np.bool_]) -> float:
    """Compute the rise of the least-squares line through the masked frames, from the first to the last frame of all.

    Args:
        track: shape [t], float32.
        mask: shape [t], bool: the frames to fit.

    Returns:
        The rise in the unit of the track; 0 for fewer than two frames.
    """
    time = np.linspace(-0.5, 0.5, len(track), dtype=np.float32)[mask] if len(track) > 1 else np.zeros(0, np.float32)
    if len(time) < 2:
        return 0.0
    time = time - time.mean()
    return float((time @ (track[mask] - track[mask].mean())) / np.square(time).sum())


def _percentiles(ordered: Frames) -> npt.NDArray[np.float64]:
    position = np.array(PERCENTS) / 100 * (ordered.shape[1] - 1)
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, ordered.shape[1] - 1)
    share = position - below
    values: npt.NDArray[np.float64] = ordered[:, below] * (1 - share) + ordered[:, above] * share
    return values


@compiled()
def count_runs(mask: Any) -> int:
    """Return the number of runs of consecutive True values in a mask of shape [t].

    >>> count_runs(np.array([True, True, False, True]))
    2
    """
    runs = 0
    for t in range(mask.size):
        if mask[t] and (t == 0 or not mask[t - 1]):
            runs += 1
    return runs
