"""Bootstrap over speakers: the spread of a figure over other samples of people (docs/protocols.md, rule 4).

Each metric is a function of sums over clips. So a draw of speakers is a row of weights, and 1,000 draws are one matrix
product. Each corpus is resampled separately (strata), so that no draw loses one.

Reference: Efron, Tibshirani, "An introduction to the bootstrap", 1993, chapters 8 and 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from emovox.evaluation.figures import counts
from emovox.evaluation.figures.calibration import bin_of
from emovox.evaluation.figures.predictions import Floats, Integers, Predictions
from emovox.schema.errors import PredictionsError

DRAWS = 1000
FEWEST_SPEAKERS = 5
"""Least number of speakers of a corpus for draws of speakers; below it utterances are drawn."""

BINS = 15
"""Bins of the expected calibration error."""

_CELLS_AT_ONCE = 4_000_000  # weights held in memory at a time: 32 MB

Unit = Literal["speakers", "utterances", "speakers or utterances"]


class Interval(NamedTuple):
    """A 95 % interval, in the unit of the metric."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Units:
    """The units of draws: `index` [n] unit of each clip, `stratum` [units] corpus of each unit, and their name."""

    index: Integers
    stratum: Integers
    name: Unit


_EXACT = 12  # decimals of a difference: sums in another order must not make equal models differ


class Difference(NamedTuple):
    """Second minus first, with its 95 % interval, the share of draws in which the second is not better, and p.

    `p` is two-sided: twice the share of draws on the rarer side of 0, at least 2 / (draws + 1).
    """

    value: float
    low: float
    high: float
    not_better: float
    p: float

    @property
    def detectable(self) -> bool:
        """Return whether the interval excludes 0."""
        return not self.low <= 0 <= self.high


def units(predictions: Predictions) -> Units:
    """Return the units to draw in each corpus: speakers, or utterances if fewer than five speakers are known."""
    index = np.zeros(len(predictions), dtype=np.int64)
    strata: list[int] = []
    kinds = set()
    for stratum, corpus in enumerate(predictions.corpora):
        rows = np.flatnonzero(predictions.corpus == corpus)
        speakers, unit = np.unique(predictions.speaker[rows], return_inverse=True)
        by_speaker = len(speakers) >= FEWEST_SPEAKERS and "" not in speakers
        index[rows] = len(strata) + (unit if by_speaker else np.arange(len(rows)))
        strata += [stratum] * (len(speakers) if by_speaker else len(rows))
        kinds.add("speakers" if by_speaker else "utterances")
    name: Unit = "speakers or utterances" if len(kinds) > 1 else "speakers" if "speakers" in kinds else "utterances"
    return Units(index, np.array(strata, dtype=np.int64), name)


@dataclass(frozen=True)
class Sums:
    """Layout of a row of sums: confusion counts, then calibration gaps and counts for each corpus and bin."""

    n_classes: int
    n_corpora: int

    @property
    def n_counts(self) -> int:
        """Return the number of confusion cells at the front of a row."""
        return self.n_classes * (self.n_classes + 1)

    def confusion(self, rows: Floats) -> Floats:
        """Return the counts [..., classes, classes + 1] in rows [..., k]."""
        return rows[..., : self.n_counts].reshape(*rows.shape[:-1], self.n_classes, self.n_classes + 1)

    def calibration_error(self, rows: Floats) -> Floats:
        """Compute the calibration error of each row, [...]: corpora weigh equally (docs/protocols.md, rule 10)."""
        errors = self.calibration_errors(rows)
        known = ~np.isnan(errors)
        return counts.divide(np.nansum(errors, axis=-1), known.sum(axis=-1), missing=np.nan)

    def calibration_errors(self, rows: Floats) -> Floats:
        """Compute the expected calibration error of each row and corpus, [..., corpora]."""
        gaps, clips = np.split(rows[..., self.n_counts :], 2, axis=-1)
        shape = (*rows.shape[:-1], self.n_corpora, BINS)
        total = clips.reshape(shape).sum(axis=-1)
        return counts.divide(np.abs(gaps.reshape(shape)).sum(axis=-1), total, missing=np.nan)


def sums_by_unit(predictions: Predictions, drawn: Units) -> tuple[Floats, Sums]:
    """Return the sums of each unit that the metrics need, [units, k], and the layout of a row."""
    layout = Sums(len(predictions.classes), len(predictions.corpora))
    table = np.zeros((len(drawn.stratum), layout.n_counts + 2 * layout.n_corpora * BINS))
    cells = predictions.label_index * (layout.n_classes + 1) + predictions.predicted_index % (layout.n_classes + 1)
    np.add.at(table, (drawn.index, cells), 1.0)
    rows = np.flatnonzero(predictions.answered)
    scores = predictions.scores[rows]
    right = scores.argmax(axis=1) == predictions.label_index[rows]
    confidence = scores.max(axis=1)
    corpus = drawn.stratum[drawn.index[rows]]
    columns = layout.n_counts + corpus * BINS + bin_of(confidence, bins=BINS)
    np.add.at(table, (drawn.index[rows], columns), right - confidence)
    np.add.at(table, (drawn.index[rows], columns + layout.n_corpora * BINS), 1.0)
    return table, layout


def metrics_of(layout: Sums) -> Mapping[str, Callable[[Floats], Floats]]:
    """Return the metrics, each as a function from rows of sums [..., k] to values [...]."""
    of_counts = (counts.uar, counts.accuracy, counts.weighted_f1, counts.macro_f1)

    def over(function: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
        """Return a function of counts as a function of rows."""
        return lambda rows: function(layout.confusion(rows))

    return {function.__name__: over(function) for function in of_counts} | {"ece": layout.calibration_error}


def draw(table: Floats, stratum: Integers, *, rng: np.random.Generator, draws: int = DRAWS) -> Floats:
    """Sum the rows of units drawn with replacement within each stratum.

    Args:
        table: [units, k] sums of each unit.
        stratum: [units] number of the stratum in which a unit is exchanged.
        rng: random generator of the draws.
        draws: number of draws.

    Returns:
        [draws, k] sums of each draw.
    """
    step = max(1, _CELLS_AT_ONCE // max(1, len(table)))
    return np.concatenate([_weights(stratum, min(step, draws - start), rng) @ table for start in range(0, draws, step)])


class Resampled(NamedTuple):
    """95 % intervals of each metric (uar, accuracy, weighted_f1, macro_f1, ece) and of the recall of each class."""

    metrics: dict[str, Interval]
    recalls: dict[str, Interval]


def intervals(predictions: Predictions, *, rng: np.random.Generator, draws: int = DRAWS) -> Resampled:
    """Compute the 95 % intervals of all figures from draws of speakers; classes without true clips have no recall."""
    drawn = units(predictions)
    table, layout = sums_by_unit(predictions, drawn)
    rows = draw(table, drawn.stratum, rng=rng, draws=draws)
    recalls = counts.recall(layout.confusion(rows))
    return Resampled(
        {name: interval(function(rows)) for name, function in metrics_of(layout).items()},
        {name: interval(recalls[:, predictions.classes.index(name)]) for name in predictions.present},
    )


def paired_difference(
    first: Predictions, second: Predictions, *, rng: np.random.Generator, metric: str = "uar", draws: int = DRAWS
) -> Difference:
    """Compare two models on the same utterances; both use the same draws of people, so common variation cancels.

    Args:
        first: the reference.
        second: the same utterances with the same labels, in any order; the classes may differ.
        rng: source of the draws.
        metric: uar, accuracy, weighted_f1, macro_f1 or ece.
        draws: number of draws.

    Raises:
        PredictionsError: the utterances or their labels differ.
    """
    return mean_difference([first], [second], rng=rng, metric=metric, draws=draws)


def mean_difference(
    first: Sequence[Predictions],
    second: Sequence[Predictions],
    *,
    rng: np.random.Generator,
    metric: str = "uar",
    draws: int = DRAWS,
) -> Difference:
    """Compare two recipes by the means of a metric over runs with several seeds; all runs use the same draws of people.

    It is the mean of the runs' metrics. The metric of their averaged scores would be that of another model, an
    ensemble. The interval covers the choice of seeds only as far as seeds differ between speakers.

    Args:
        first: runs of the reference, at least one, over the same utterances with the same labels.
        second: runs of the other, over the same; their number may differ.
        rng: source of the draws.
        metric: uar, accuracy, weighted_f1, macro_f1 or ece.
        draws: number of draws.

    Raises:
        PredictionsError: the utterances or their labels differ.

    Reference: Davison, Hinkley, "Bootstrap methods and their application", 1997, equation 4.11 (p from draws).
    """
    drawn = units(first[0])
    tables, layouts = zip(*(sums_by_unit(aligned(first[0], each), drawn) for each in (*first, *second)), strict=True)
    edges = np.cumsum([table.shape[1] for table in tables])[:-1]
    weights = [-1 / len(first)] * len(first) + [1 / len(second)] * len(second)
    measures = [metrics_of(layout)[metric] for layout in layouts]

    def difference(rows: Floats) -> Floats:
        """Compute second minus first for rows of sums of all runs."""
        parts = zip(np.split(rows, edges, axis=-1), measures, weights, strict=True)
        means: Floats = np.sum([weight * measure(part) for part, measure, weight in parts], axis=0)
        return np.round(means, _EXACT)

    every = np.concatenate(tables, axis=1)
    values = difference(draw(every, drawn.stratum, rng=rng, draws=draws))
    worse = values >= 0 if metric == "ece" else values <= 0
    rarer = min(int((values <= 0).sum()), int((values >= 0).sum()))
    p = min(1.0, 2 * (rarer + 1) / (draws + 1))
    return Difference(float(difference(every.sum(axis=0))), *interval(values), float(worse.mean()), p)


def aligned(first: Predictions, second: Predictions) -> Predictions:
    """Return `second` with its rows in the order of `first`.

    Raises:
        PredictionsError: the utterances or their labels differ.
    """
    where = {key: row for row, key in enumerate(zip(second.corpus.tolist(), second.utterance.tolist(), strict=True))}
    keys = list(zip(first.corpus.tolist(), first.utterance.tolist(), strict=True))
    missing = [key for key in keys if key not in where]
    if missing or len(where) != len(keys):
        example = f", for example {missing[0][0]}/{missing[0][1]}" if missing else ""
        raise PredictionsError(
            f"the second set lacks {len(missing)} of the first's {len(keys)} utterances{example} and has "
            f"{len(where) - len(keys) + len(missing)} of its own; expected the same utterances in both"
        )
    result = second.select(np.array([where[key] for key in keys], dtype=np.int64))
    other = np.flatnonzero(result.label != first.label)
    if other.size:
        row = int(other[0])
        raise PredictionsError(
            f"{other.size} true labels differ, for example {first.utterance[row]} is '{first.label[row]}' in the first "
            f"and '{result.label[row]}' in the second; expected the same labels in both"
        )
    return result


def interval(values: Floats) -> Interval:
    """Return the 2.5th and 97.5th percentile of draws, without draws that have no value; NaN if none has one."""
    known = values[~np.isnan(values)]
    return Interval(*np.percentile(known, (2.5, 97.5)).tolist()) if known.size else Interval(float("nan"), float("nan"))


def _weights(stratum: Integers, draws: int, rng: np.random.Generator) -> Floats:
    """Return how often each unit is drawn, [draws, units]; a row sums to the number of units in each stratum."""
    weights = np.zeros((draws, len(stratum)))
    offset = np.arange(draws)[:, None]
    for value in np.unique(stratum):
        members = np.flatnonzero(stratum == value)
        chosen = rng.integers(0, len(members), size=(draws, len(members))) + offset * len(members)
        weights[:, members] = np.bincount(chosen.ravel(), minlength=draws * len(members)).reshape(draws, -1)
    return weights
