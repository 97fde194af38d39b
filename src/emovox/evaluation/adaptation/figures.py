"""Figures of the adaptation protocol from its counts, with 95 % intervals over speakers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from emovox.evaluation.adaptation.counts import AdaptationCounts
from emovox.evaluation.adaptation.draws import NEUTRAL_SHARE
from emovox.evaluation.figures.bootstrap import DRAWS, Interval

Numbers = npt.NDArray[np.float64]
Metric = Callable[[Numbers, Numbers, tuple[str, ...]], Numbers]
"""Returns a figure in [0, 1], shape [...], of scored and right clips [..., C] of the classes."""

QUIET = ("neutral", "calm")
"""Classes of a stream's neutral part."""


class AdaptedFigure(NamedTuple):
    """A figure without and with adaptation, in percent, over the same clips.

    Attributes:
        speakers: their number.
        plain: without adaptation.
        adapted: with it.
        change: adapted minus plain, in points.
        interval: of the change, by draws of speakers.
    """

    speakers: int
    plain: float
    adapted: float
    change: float
    interval: Interval


def uar(scored: Numbers, right: Numbers, classes: tuple[str, ...]) -> Numbers:  # noqa: ARG001
    """Return the unweighted average recall; classes without a scored clip do not count."""
    there = scored > 0
    recalls = np.divide(right, scored, out=np.zeros_like(right), where=there)
    return np.asarray(recalls.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1))


def stream_accuracy(scored: Numbers, right: Numbers, classes: tuple[str, ...]) -> Numbers:
    """Return the accuracy on a stream with `NEUTRAL_SHARE` of neutral clips; the rest is as the moods come."""
    quiet = np.isin(classes, QUIET)
    parts = [right[..., some].sum(axis=-1) / np.maximum(scored[..., some].sum(axis=-1), 1) for some in (quiet, ~quiet)]
    return np.asarray(NEUTRAL_SHARE * parts[0] + (1 - NEUTRAL_SHARE) * parts[1])


def measure_adapted(
    cells: Sequence[Sequence[AdaptationCounts]], metric: Metric = uar, *, seed: int = 0
) -> AdaptedFigure:
    """Return a figure over speakers, and its mean over cells.

    Args:
        cells: the rows of all speakers, for each of the cells (one for each mood, say), over the same classes.
        metric: `uar` or `stream_accuracy`.
        seed: of the draws of speakers.
    """
    speakers = sorted({row.speaker for rows in cells for row in rows})
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(speakers), np.full(len(speakers), 1 / len(speakers)), size=DRAWS)
    found = []
    for rows in cells:
        counts = np.zeros((len(speakers), 3, len(rows[0].classes)))
        for row in rows:
            counts[speakers.index(row.speaker)] = [row.scored, row.plain, row.adapted]
        sums = np.concatenate([counts.sum(axis=0)[None], np.einsum("bs,smc->bmc", weights, counts)])
        found.append([metric(sums[:, 0], sums[:, column], rows[0].classes) for column in (1, 2)])
    plain, adapted = 100 * np.mean(found, axis=0)
    low, high = np.percentile((adapted - plain)[1:], [2.5, 97.5])
    return AdaptedFigure(
        len(speakers),
        float(plain[0]),
        float(adapted[0]),
        float(adapted[0] - plain[0]),
        Interval(float(low), float(high)),
    )
