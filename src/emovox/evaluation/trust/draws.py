"""Bootstrap intervals over speakers, or over utterances where fewer than five speakers are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from emovox.evaluation.figures import bootstrap, counts
from emovox.evaluation.figures.bootstrap import Interval
from emovox.evaluation.figures.predictions import Floats, Integers, Predictions

DRAWS = 400
"""Number of bootstrap samples of an interval."""

SLOW_DRAWS = 100
"""The same for values that are computed sample by sample, which is slow."""


def confusions(predictions: Predictions, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return confusion counts [classes, classes + 1], and those of bootstrap samples [DRAWS, classes, classes + 1]."""
    drawn = bootstrap.units(predictions)
    rows = per_unit(predictions, drawn.index, len(drawn.stratum))
    shape = (-1, len(predictions.classes), len(predictions.classes) + 1)
    every = bootstrap.draw(rows, drawn.stratum, rng=rng, draws=DRAWS)
    return rows.sum(axis=0).reshape(shape)[0], every.reshape(shape)


def per_unit(predictions: Predictions, unit: Integers, n_units: int) -> Floats:
    """Return the confusion counts of each unit, shape [units, classes × (classes + 1)]."""
    width = len(predictions.classes) + 1
    rows = np.zeros((n_units, (width - 1) * width))
    np.add.at(rows, (unit, predictions.label_index * width + predictions.predicted_index % width), 1.0)
    return rows


def precision(table: Floats) -> Floats:
    """Return the precision of each label, [..., classes]; NaN for a label that is never given."""
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    return counts.divide(hits, table.sum(axis=-2)[..., :-1], missing=np.nan)


def interval_of(predictions: Predictions, value: Callable[[Predictions], float], rng: np.random.Generator) -> Interval:
    """Return the 95 % interval of a value that is computed for each bootstrap sample."""
    values = [value(predictions.select(rows)) for rows in row_draws(predictions, rng)]
    return bootstrap.interval(np.array(values))


def row_draws(predictions: Predictions, rng: np.random.Generator) -> Iterator[Integers]:
    """Yield the rows of each bootstrap sample: all rows of its units; a unit that is drawn twice counts twice."""
    drawn = bootstrap.units(predictions)
    order = np.argsort(drawn.index, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(drawn.index))[:-1])
    for _ in range(SLOW_DRAWS):
        chosen = [
            member
            for stratum in np.unique(drawn.stratum)
            for member in rng.choice(np.flatnonzero(drawn.stratum == stratum), int((drawn.stratum == stratum).sum()))
        ]
        yield np.concatenate([members[unit] for unit in chosen])


def mean_interval(values: Floats, rng: np.random.Generator) -> Interval:
    """Return the 95 % interval of the mean of values [n], by bootstrap over single values."""
    drawn = rng.integers(0, len(values), size=(DRAWS, len(values)))
    return bootstrap.interval(values[drawn].mean(axis=1))
