"""Sets of labels that hold the true one with a promised probability for a new speaker.

Reference: Lee, Barber, Willett, "Distribution-free inference with hierarchical data", 2023 (HCP). Speakers, not clips,
are exchangeable, so each calibrating speaker has the same weight. The new one counts as one more, whose label no set
holds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emovox.evaluation.figures.predictions import Floats, Integers, Names


class Sets(NamedTuple):
    """Conformal sets of clips: `covered` [n], whether the set holds the true label; `size` [n], labels in the set."""

    covered: Floats
    size: Floats


def conformal_sets(
    scores: Floats, labels: Integers, speakers: Names, calibrating: Integers, *, coverage: float
) -> Sets:
    """Return the set of each clip, calibrated on the other speakers.

    A set holds the labels whose score reaches a threshold, and at least the first. A clip without scores has an empty
    set, and counts as the worst in calibration.

    Args:
        scores: [n, labels] probabilities; rows of NaN for clips without an answer.
        labels: [n] true label.
        speakers: [n] speaker, unique over corpora.
        calibrating: [n] 1 for clips that may calibrate, else 0.
        coverage: promised probability, in (0, 1).

    >>> sure = np.array([[0.9, 0.1]] * 40)
    >>> names = np.array([f"s{n}" for n in range(40)])
    >>> conformal_sets(sure, np.zeros(40, int), names, np.ones(40, int), coverage=0.9).size.mean().item()
    1.0
    """
    answered = ~np.isnan(scores).any(axis=1)
    known = np.nan_to_num(scores)
    misfit = _misfit(scores, labels)
    names, unit, count = np.unique(speakers, return_inverse=True, return_counts=True)
    order = np.argsort(misfit, kind="stable")
    covered, size = np.zeros(len(labels)), np.zeros(len(labels))
    for number in range(len(names)):
        threshold = _threshold(misfit, order, unit, count, calibrating, number, coverage)
        rows = np.flatnonzero((unit == number) & answered)
        inside = 1 - known[rows] <= threshold
        inside[np.arange(len(rows)), known[rows].argmax(axis=1)] = True
        covered[rows] = inside[np.arange(len(rows)), labels[rows]]
        size[rows] = inside.sum(axis=1)
    return Sets(covered, size)


def largest_misfit(scores: Floats, labels: Integers, speakers: Names, *, coverage: float) -> float:
    """Return the largest misfit, 1 - score, of a label in the sets of a speaker who is none of these.

    Args:
        scores: as in `conformal_sets`.
        labels: as in `conformal_sets`.
        speakers: as in `conformal_sets`; all of them calibrate.
        coverage: promised probability, in (0, 1).

    Returns:
        In [0, 1]; infinite if the speakers are too few.
    """
    _, unit, count = np.unique(speakers, return_inverse=True, return_counts=True)
    misfit = _misfit(scores, labels)
    order = np.argsort(misfit, kind="stable")
    return _threshold(misfit, order, unit, count, np.ones(len(labels), np.int64), -1, coverage)


def _misfit(scores: Floats, labels: Integers) -> Floats:
    answered = ~np.isnan(scores).any(axis=1)
    return np.where(answered, 1 - np.nan_to_num(scores)[np.arange(len(labels)), labels], 1.0)


def _threshold(
    misfit: Floats,
    order: Integers,
    unit: Integers,
    count: Integers,
    calibrating: Integers,
    left_out: int,
    coverage: float,
) -> float:
    """Return the largest misfit of a label in the sets of one speaker; infinite if the others are too few."""
    rows = order[(unit[order] != left_out) & (calibrating[order] == 1)]
    speakers = len(np.unique(unit[rows]))
    reached = np.flatnonzero(np.cumsum(1 / count[unit[rows]]) >= coverage * (speakers + 1) - 1e-9)
    return float(misfit[rows[reached[0]]]) if len(reached) else float("inf")
