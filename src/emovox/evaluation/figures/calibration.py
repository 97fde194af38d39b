"""Calibration: reliability of the scores, the temperature that calibrates them, and abstention.

Reference: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017 (equations 2, 3 and 9).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from emovox.evaluation.figures.predictions import Floats, Integers, Predictions

TEMPERATURES = (0.25, 10.0)
"""Range of the search. At the floor the held-out clips are too few, or too easy, to show how often the model errs: the
joint trainings of the shipped models have 0.8 to 1.0. At the upper edge the logits are unrelated to the labels."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Clips sorted into bins of equal width by their highest score.

    `count` [bins] clips, `confidence` [bins] mean highest score, `accuracy` [bins] share right; NaN where empty.
    """

    count: Integers
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """Return the expected calibration error in [0, 1]: mean |accuracy - confidence| of clips; NaN without clips."""
        if not self.count.sum():
            return float("nan")
        return float(np.nansum(np.abs(self.accuracy - self.confidence) * self.count) / self.count.sum())


def bin_of(confidence: Floats, *, bins: int) -> Integers:
    """Return the bin of each confidence, [n] in 0..bins-1; bins are closed on the right, as in the reference.

    >>> bin_of(np.array([0.0, 0.2, 0.21, 1.0]), bins=5).tolist()
    [0, 0, 1, 4]
    """
    # The small term keeps 0.6 in the bin that ends at 0.6, although 0.6 * 15 is a little over 9 in binary.
    index: Integers = np.clip(np.ceil(confidence * bins - 1e-9) - 1, 0, bins - 1).astype(np.int64)
    return index


def reliability(scores: Floats, labels: Integers, *, bins: int = 15) -> Reliability:
    """Compute confidence and accuracy in each bin.

    Clips without scores (a row with NaN: no speech) are left out.

    Args:
        scores: [n, classes] probabilities.
        labels: [n] index of the true class.
        bins: number of bins of equal width over [0, 1].
    """
    known = ~np.isnan(scores).any(axis=1)
    scores, labels = scores[known], labels[known]
    confidence = scores.max(axis=1) if len(scores) else np.zeros(0)
    right = scores.argmax(axis=1) == labels if len(scores) else np.zeros(0, dtype=bool)
    index = bin_of(confidence, bins=bins)
    count = np.bincount(index, minlength=bins)
    sums = [np.bincount(index, weights=values, minlength=bins) for values in (confidence, right.astype(np.float64))]
    means = [np.divide(total, count, out=np.full(bins, np.nan), where=count > 0) for total in sums]
    return Reliability(count, means[0], means[1])


def joint_error(parts: Sequence[Reliability]) -> float:
    """Return the expected calibration error of several sets together, with equal weight for each.

    It applies when the set of a clip is unknown: overconfidence on one set and underconfidence on another cancel out.

    Args:
        parts: with equal bins.

    Returns:
        In [0, 1]; NaN without clips.
    """
    known = [part for part in parts if part.count.sum()]
    gaps = [np.nan_to_num(part.accuracy - part.confidence) * part.count / part.count.sum() for part in known]
    return float(np.abs(np.mean(gaps, axis=0)).sum()) if gaps else float("nan")


def fit_temperature(
    logits: Floats, labels: Integers, *, weights: Floats | None = None, smoothing: float = 0.0
) -> float:
    """Return the temperature that minimises the negative log likelihood of softmax(logits / temperature).

    A temperature does not change which class has the highest score. A logit of -inf masks a class.

    On few clips that are all right, the likelihood grows without end as the temperature falls. Smoothed targets end
    that (`smoothing_for`).

    Args:
        logits: [n, classes] before the softmax.
        labels: [n] index of the true class; its logit must be finite.
        weights: [n] weight of each row, e.g. for equal weight of small and large corpora; None: equal.
        smoothing: share of the target, in [0, 1), that is spread over the other classes of a row.

    Returns:
        The temperature, within `TEMPERATURES`.

    Raises:
        ValueError: no rows, or the logit of a true label is not finite.
    """
    logits = np.asarray(logits, dtype=np.float64)
    labels = np.asarray(labels)
    if not len(labels) or not np.isfinite(logits[np.arange(len(labels)), labels]).all():
        raise ValueError(f"got {len(labels)} rows or a true label whose logit is not finite, expected finite ones")
    logits = logits - logits.max(axis=1, keepdims=True)
    true = logits[np.arange(len(labels)), labels]
    known = np.isfinite(logits)
    others = (np.where(known, logits, 0.0).sum(axis=1) - true) / np.maximum(known.sum(axis=1) - 1, 1)
    target = (1 - smoothing) * true + smoothing * others

    def loss(log_temperature: float) -> float:
        """Compute the mean negative log likelihood."""
        factor = np.exp(-log_temperature)
        return float(np.average(logsumexp(logits * factor, axis=1) - target * factor, weights=weights))

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def smoothing_for(n_clips: int, n_classes: int) -> float:
    """Return the smoothing of targets for a number of held-out clips: 1 / (clips per class + 2).

    With it no temperature promises more than the clips have shown: 18 clips per class that are all right stand for a
    confidence of 0.95, not of 1.

    Reference:
        Platt, "Probabilistic outputs for support vector machines", 1999, section 2.2.

    >>> smoothing_for(54, 3)
    0.05
    """
    return 1 / (n_clips / n_classes + 2)


def abstention_threshold(scores: Floats, *, keep: float = 0.9) -> float:
    """Return the largest threshold that leaves the share `keep` of the clips labelled (docs/protocols.md, rule 10).

    A clip is labelled when its highest score reaches the threshold. Clips without scores count as not labelled.

    Args:
        scores: [n, classes] probabilities of out-of-fold clips, NaN rows for clips without speech.
        keep: share of the clips in (0, 1].

    Returns:
        The threshold in [0, 1]; 0 when too many clips have no speech for any threshold to reach `keep`.

    >>> abstention_threshold(np.array([[0.9, 0.1], [0.4, 0.6]]), keep=0.5)
    0.9
    """
    if not len(scores) or not 0 < keep <= 1:
        raise ValueError(f"got {len(scores)} clips and keep = {keep}, expected clips and a share in (0, 1]")
    confidence = np.sort(np.nan_to_num(scores.max(axis=1), nan=-1.0))[::-1]
    needed = max(1, int(np.ceil(keep * len(confidence) - 1e-9)))
    return max(0.0, float(confidence[needed - 1]))


@dataclass(frozen=True)
class Kept:
    """The clips above a threshold: the share that is labelled, and the share of these that is right."""

    threshold: float
    share: float
    accuracy: float


def kept(predictions: Predictions, threshold: float) -> Kept:
    """Measure abstention at a threshold; the accuracy is NaN if no clip is labelled."""
    labelled = predictions.answered & (np.nan_to_num(predictions.scores.max(axis=1), nan=-1.0) >= threshold)
    right = predictions.predicted_index[labelled] == predictions.label_index[labelled]
    return Kept(threshold, float(labelled.mean()), float(right.mean()) if right.size else float("nan"))
