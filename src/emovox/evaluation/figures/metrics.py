"""The figures of docs/protocols.md: UAR, accuracy, F1, calibration error, confusions; pooled, with intervals.

All are shares in [0, 1]. A class without true clips is left out of means, and a clip without an answer is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, f1_score, recall_score

from emovox.evaluation.figures import bootstrap, counts
from emovox.evaluation.figures.calibration import reliability
from emovox.evaluation.figures.predictions import Floats, Integers, Predictions, natural_key

METRICS = ("uar", "accuracy", "weighted_f1", "macro_f1", "ece")
"""Names of the figures of a `Summary`, in the order of every table."""


UNANSWERED = "no answer"
"""Predicted label of a clip without speech, in tables."""


class Confusion(NamedTuple):
    """One kind of mistake: `clips` clips of `label` were called `predicted`, `share` of that label's clips."""

    label: str
    predicted: str
    clips: int
    share: float


class Estimate(NamedTuple):
    """A pooled figure, its 95 % interval, and its mean and standard deviation over folds (None with one fold)."""

    value: float
    low: float
    high: float
    fold_mean: float | None
    fold_sd: float | None


@dataclass(frozen=True, eq=False)
class Summary:
    """All figures of one set of predictions.

    `unanswered` counts clips without speech, `resampled` names the units of the bootstrap, `estimates` is keyed by
    `METRICS`. `ece_by_corpus`, `recalls` and `recall_intervals` are keyed by name. `confusion` is
    [classes, classes + 1]; its last column is "no answer".
    """

    clips: int
    unanswered: int
    speakers: int
    folds: int
    classes: tuple[str, ...]
    resampled: bootstrap.Unit
    estimates: Mapping[str, Estimate]
    ece_by_corpus: Mapping[str, float]
    recalls: Mapping[str, float]
    recall_intervals: Mapping[str, bootstrap.Interval]
    confusion: Integers

    @property
    def uar(self) -> Estimate:
        """Return the unweighted average recall."""
        return self.estimates["uar"]

    @property
    def accuracy(self) -> Estimate:
        """Return the share of right clips."""
        return self.estimates["accuracy"]


def uar(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Compute the unweighted average recall: the mean over the classes of the share of their clips that is right.

    Args:
        labels: [n] true labels, names or indices.
        predicted: [n] predictions of the same kind ("" or -1: no answer).

    >>> uar(["a", "a", "a", "b"], ["a", "a", "b", "b"]).__round__(3)
    0.833
    """
    return float(recall_score(labels, predicted, labels=_present(labels), average="macro", zero_division=0))


def accuracy(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Compute the share of right clips; arguments as for `uar`.

    >>> accuracy(["a", "a", "a", "b"], ["a", "a", "b", "b"])
    0.75
    """
    return float(accuracy_score(labels, predicted))


def weighted_f1(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Compute the mean F1 of the classes, weighted by their true clips; arguments as for `uar`."""
    return float(f1_score(labels, predicted, labels=_present(labels), average="weighted", zero_division=0))


def macro_f1(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Compute the mean F1 of the classes that have true clips; arguments as for `uar`."""
    return float(f1_score(labels, predicted, labels=_present(labels), average="macro", zero_division=0))


def expected_calibration_error(scores: Floats, labels: Integers, *, bins: int = 15) -> float:
    """Compute the mean distance between confidence and accuracy over bins of equal width, without rows of NaN.

    Args:
        scores: [n, classes] probabilities.
        labels: [n] index of the true class.
        bins: number of bins.

    Reference: Guo et al., ICML 2017, equation 3.

    >>> expected_calibration_error(np.array([[0.8, 0.2], [0.8, 0.2]]), np.array([0, 1])).__round__(3)
    0.3
    """
    return reliability(np.asarray(scores, dtype=np.float64), np.asarray(labels), bins=bins).error


def confusion(predictions: Predictions) -> Integers:
    """Count predictions for each true label: [classes, classes + 1], the last column clips without an answer."""
    return counts.count(predictions.label_index, predictions.predicted_index, n_classes=len(predictions.classes))


def recalls(predictions: Predictions) -> dict[str, float]:
    """Return the recall of each class that has true clips, by name."""
    values = counts.recall(confusion(predictions).astype(np.float64))
    return {name: float(values[predictions.classes.index(name)]) for name in predictions.present}


def top_confusions(predictions: Predictions, n: int = 10) -> tuple[Confusion, ...]:
    """Return the `n` mistakes with the largest shares of the true label's clips, the largest first."""
    table = confusion(predictions)
    names = (*predictions.classes, UNANSWERED)
    totals = table.sum(axis=1)
    pairs = [
        Confusion(names[row], names[column], int(table[row, column]), float(table[row, column] / totals[row]))
        for row, column in np.argwhere(table > 0).tolist()
        if row != column
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.share, -pair.clips, pair.label, pair.predicted))[:n])


def calibration_by_corpus(predictions: Predictions) -> dict[str, float]:
    """Return the ECE of each corpus; a summary has their plain mean (docs/protocols.md, rule 10)."""
    parts = {name: predictions.corpus == name for name in predictions.corpora}
    return {
        name: expected_calibration_error(predictions.scores[rows], predictions.label_index[rows])
        for name, rows in parts.items()
    }


def summary(predictions: Predictions, *, rng: np.random.Generator | int = 0, draws: int = bootstrap.DRAWS) -> Summary:
    """Compute all figures over the pooled predictions, with intervals, and mean ± deviation over folds.

    Args:
        predictions: out-of-fold predictions of one or more corpora.
        rng: a generator, or the seed of one.
        draws: bootstrap draws.

    Raises:
        ValueError: no predictions.
    """
    if not len(predictions):
        raise ValueError("got no predictions, expected at least one clip")
    pooled = values(predictions)
    intervals = bootstrap.intervals(predictions, rng=np.random.default_rng(rng), draws=draws)
    folds = [values(part) for part in by(predictions, "fold").values()]
    return Summary(
        clips=len(predictions),
        unanswered=int((~predictions.answered).sum()),
        speakers=len(by(predictions, "speaker")) if "" not in predictions.speaker else 0,
        folds=len(folds),
        classes=predictions.classes,
        resampled=bootstrap.units(predictions).name,
        estimates={
            name: _estimate(pooled[name], intervals.metrics[name], [each[name] for each in folds]) for name in METRICS
        },
        ece_by_corpus=calibration_by_corpus(predictions),
        recalls=recalls(predictions),
        recall_intervals=intervals.recalls,
        confusion=confusion(predictions),
    )


def values(predictions: Predictions) -> dict[str, float]:
    """Return the figures of `METRICS` without intervals, each in [0, 1]; ECE is NaN if no clip has scores."""
    pair = (predictions.label_index, predictions.predicted_index)
    errors = [error for error in calibration_by_corpus(predictions).values() if not np.isnan(error)]
    return {
        "uar": uar(*pair),
        "accuracy": accuracy(*pair),
        "weighted_f1": weighted_f1(*pair),
        "macro_f1": macro_f1(*pair),
        "ece": float(np.mean(errors)) if errors else float("nan"),
    }


def by(predictions: Predictions, column: str) -> dict[str, Predictions]:
    """Return the parts by a column: corpus, fold or speaker ("corpus/speaker", since two corpora may share a name)."""
    names = getattr(predictions, column)
    if column == "speaker" and len(predictions.corpora) > 1:
        names = np.char.add(np.char.add(predictions.corpus, "/"), names)
    keys: Sequence[str] = sorted(set(names.tolist()), key=natural_key)
    return {key: predictions.select(names == key) for key in keys}


def chance(predictions: Predictions) -> dict[str, float]:
    """Return the expected figures of a uniform guess among the classes that have clips; its ECE is 0."""
    shares = counts.count(predictions.label_index, predictions.label_index, n_classes=len(predictions.classes)).sum(
        axis=1
    ) / len(predictions)
    shares = shares[shares > 0]
    guess = 1 / len(shares)
    f1 = 2 * shares * guess / (shares + guess)
    return {
        "uar": guess, "accuracy": guess, "weighted_f1": float(f1 @ shares), "macro_f1": float(f1.mean()), "ece": 0.0,
    }  # fmt: skip


def _present(labels: npt.ArrayLike) -> npt.NDArray[np.generic]:
    return np.unique(np.asarray(labels))


def _estimate(value: float, interval: bootstrap.Interval, folds: list[float]) -> Estimate:
    if len(folds) < 2:
        return Estimate(value, *interval, None, None)
    return Estimate(value, *interval, float(np.mean(folds)), float(np.std(folds, ddof=1)))
