"""Metrics from confusion counts, for stacks of matrices at once, which makes 1,000 bootstrap draws fast.

A count matrix is [..., classes, classes + 1]: rows are true labels, columns predictions, the last column the clips
without an answer. A class without true clips takes no part in any mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.evaluation.figures.predictions import Floats, Integers


def count(label: Integers, predicted: Integers, *, n_classes: int) -> Integers:
    """Count pairs of true label and prediction.

    Args:
        label: [n] class indices.
        predicted: [n] class indices, -1 for no answer.
        n_classes: number of classes, >= 1.

    Returns:
        [n_classes, n_classes + 1] counts.

    >>> count(np.array([0, 0, 1]), np.array([0, 1, -1]), n_classes=2).tolist()
    [[1, 1, 0], [0, 0, 1]]
    """
    width = n_classes + 1
    cells = label * width + predicted % width
    return np.bincount(cells, minlength=n_classes * width).reshape(n_classes, width)


def recall(counts: Floats) -> Floats:
    """Compute the share of each class's clips that are right, [..., classes]; NaN for a class without clips."""
    return divide(_hits(counts), counts.sum(axis=-1), missing=np.nan)


def uar(counts: Floats) -> Floats:
    """Compute the unweighted average recall, [...] in [0, 1]: the mean recall of the classes that have clips."""
    return _mean_present(np.nan_to_num(recall(counts)), counts)


def accuracy(counts: Floats) -> Floats:
    """Compute the share of right clips, [...] in [0, 1]."""
    return divide(_hits(counts).sum(axis=-1), counts.sum(axis=(-1, -2)), missing=np.nan)


def macro_f1(counts: Floats) -> Floats:
    """Compute the mean F1 of the classes that have clips, [...] in [0, 1]."""
    return _mean_present(_f1(counts), counts)


def weighted_f1(counts: Floats) -> Floats:
    """Compute the mean F1, weighted by the number of true clips, [...] in [0, 1]."""
    support = counts.sum(axis=-1)
    return divide((_f1(counts) * support).sum(axis=-1), support.sum(axis=-1), missing=np.nan)


def _hits(counts: Floats) -> Floats:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _f1(counts: Floats) -> Floats:
    return divide(2 * _hits(counts), counts.sum(axis=-1) + counts.sum(axis=-2)[..., :-1], missing=0.0)


def _mean_present(values: Floats, counts: Floats) -> Floats:
    present = counts.sum(axis=-1) > 0
    return divide((values * present).sum(axis=-1), present.sum(axis=-1), missing=np.nan)


def divide(numerator: npt.ArrayLike, denominator: npt.ArrayLike, *, missing: float) -> Floats:
    """Divide element by element, with `missing` where the denominator is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, dtype=np.float64), np.asarray(denominator))
    result: Floats = np.divide(top, bottom, out=np.full(top.shape, missing), where=bottom > 0)
    return result
