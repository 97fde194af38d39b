"""The lowest scores of labels in conformal sets, and how good these sets are, for the card of a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emovox.evaluation.figures.predictions import Names, Predictions, join
from emovox.evaluation.trust.confidence import LOW_PERCENTILE
from emovox.evaluation.trust.conformal import conformal_sets, largest_misfit
from emovox.evaluation.trust.suite import FEWEST_CALIBRATING
from emovox.schema.trust import CardSets

COVERAGES = (80, 90, 95)
"""Percentages that may be asked for. 99 would need a hundred speakers."""


def measure_sets(parts: Sequence[Predictions]) -> tuple[CardSets, ...]:
    """Return how sets of labels are made, with their accuracy on speakers that did not calibrate them.

    Args:
        parts: out-of-fold predictions over the labels of the model, one for each corpus. Parts with an unknown speaker
            are left out.

    Returns:
        One for each coverage; none with `FEWEST_CALIBRATING` speakers or fewer.
    """
    known = [part for part in parts if len(part) and "" not in part.speaker.tolist()]
    if not known:
        return ()
    every = join(known)
    speakers = np.char.add(np.char.add(every.corpus, "/"), every.speaker)
    if len(np.unique(speakers)) <= FEWEST_CALIBRATING:
        return ()
    return tuple(_card_sets(every, speakers, percent) for percent in COVERAGES)


def _card_sets(found: Predictions, speakers: Names, percent: int) -> CardSets:
    """Return how sets of a coverage are made, and how often they hold the true label of a speaker."""
    share, names = percent / 100, np.unique(speakers)
    sets = conformal_sets(found.scores, found.label_index, speakers, np.ones(len(found), np.int64), coverage=share)
    means = [float(sets.covered[speakers == name].mean()) for name in names]
    least = 1 - largest_misfit(found.scores, found.label_index, speakers, coverage=share)
    return CardSets(
        coverage=percent,
        least=float(np.floor(max(0.0, least) * 1e4) / 1e4),  # rounded down: no label at the bound is lost
        mean=round(100 * float(np.mean(means)), 1),
        worst=round(100 * float(np.percentile(means, LOW_PERCENTILE)), 1),
        size=round(float(sets.size.mean()), 2),
        speakers=len(names),
    )
