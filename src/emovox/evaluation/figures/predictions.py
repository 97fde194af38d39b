"""Predictions of a model on labelled clips."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from emovox.schema.errors import PredictionsError

Names: TypeAlias = npt.NDArray[np.str_]
Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]

COLUMNS = ("corpus", "utterance", "speaker", "fold", "label", "predicted")
"""The text columns of the CSV, in order; the score columns follow, named by class."""

NO_ANSWER = ""
"""`predicted` of a clip in which no speech was found; it counts as wrong."""


class Row(NamedTuple):
    """One clip: names, true label, predicted label and scores; "" and None for the last two without an answer."""

    corpus: str
    utterance: str
    speaker: str
    fold: str
    label: str
    predicted: str
    scores: Sequence[float] | None


@dataclass(frozen=True, eq=False)
class Predictions:
    """Out-of-fold predictions, one row per clip.

    Attributes:
        corpus, utterance, speaker, fold, label, predicted: [n] names; a speaker may be "" (unknown), `predicted` is ""
            for a clip without speech. Integers (folds) become text.
        scores: [n, classes] probabilities; a row of NaN for a clip without speech.
        classes: the names of the score columns, in order; any label set.

    Raises:
        PredictionsError: columns of different lengths, or labels that are not among the classes.
    """

    corpus: Names
    utterance: Names
    speaker: Names
    fold: Names
    label: Names
    predicted: Names
    scores: Floats
    classes: tuple[str, ...]
    label_index: Integers = field(init=False, repr=False)
    predicted_index: Integers = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the shapes, and add the labels as indices, [n]; -1 without an answer."""
        for name in COLUMNS:
            object.__setattr__(self, name, np.asarray(getattr(self, name)).astype(np.str_))
        object.__setattr__(self, "classes", tuple(self.classes))
        scores = np.asarray(self.scores, dtype=np.float64).reshape(-1, len(self.classes))
        object.__setattr__(self, "scores", scores)
        lengths = {len(self.corpus), len(self.utterance), len(self.speaker), len(self.fold), len(self.label)}
        if lengths != {len(self.predicted)} or len(scores) != len(self.predicted):
            raise PredictionsError(
                f"columns have {sorted(lengths | {len(self.predicted), len(scores)})} rows, expected one length"
            )
        object.__setattr__(self, "label_index", _indices(self.label, self.classes, allow_empty=False))
        object.__setattr__(self, "predicted_index", _indices(self.predicted, self.classes, allow_empty=True))

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def from_rows(cls, rows: Iterable[Row], classes: Sequence[str]) -> Predictions:
        """Return predictions from rows; a row whose scores are None gets NaN."""
        rows = list(rows)
        empty = [float("nan")] * len(classes)
        columns = {name: np.array([getattr(row, name) for row in rows], dtype=np.str_) for name in COLUMNS}
        scores = np.array([empty if row.scores is None else row.scores for row in rows], dtype=np.float64)
        return cls(**columns, scores=scores, classes=tuple(classes))

    @property
    def answered(self) -> npt.NDArray[np.bool_]:
        """Return [n], true for clips with speech, which have scores."""
        return self.predicted_index >= 0

    @property
    def corpora(self) -> tuple[str, ...]:
        """Return the names of the corpora, in order of first appearance."""
        return tuple(dict.fromkeys(self.corpus.tolist()))

    @property
    def present(self) -> tuple[str, ...]:
        """Return the classes that occur among the true labels, in order."""
        return tuple(self.classes[i] for i in np.unique(self.label_index))

    def rows(self) -> Iterator[Row]:
        """Yield the clips one by one."""
        names = zip(*(getattr(self, name).tolist() for name in COLUMNS), strict=True)
        for cells, scores, answered in zip(names, self.scores.tolist(), self.answered, strict=True):
            corpus, utterance, speaker, fold, label, predicted = cells
            yield Row(corpus, utterance, speaker, fold, label, predicted, scores if answered else None)

    def select(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> Predictions:
        """Return some rows, by mask [n] or by indices."""
        names = {name: getattr(self, name)[rows] for name in COLUMNS}
        return Predictions(**names, scores=self.scores[rows], classes=self.classes)

    def of_corpus(self, name: str) -> Predictions:
        """Return the rows of one corpus, with the classes that occur in them as a label, a prediction or a score."""
        part = self.select(self.corpus == name)
        used = np.nan_to_num(part.scores).max(axis=0, initial=0.0) > 0
        used[part.label_index] = True
        used[part.predicted_index[part.answered]] = True
        classes = tuple(label for label, keep in zip(self.classes, used, strict=True) if keep)
        return replace(part, scores=part.scores[:, used], classes=classes)


def join(parts: Sequence[Predictions]) -> Predictions:
    """Return predictions over the same classes, concatenated.

    Raises:
        PredictionsError: no parts, or the classes differ.
    """
    if not parts or any(part.classes != parts[0].classes for part in parts):
        found = " | ".join(sorted({",".join(part.classes) for part in parts})) or "nothing"
        raise PredictionsError(f"cannot join predictions over {found}; expected the same classes in each")
    names = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return Predictions(**names, scores=np.concatenate([part.scores for part in parts]), classes=parts[0].classes)


def natural_key(text: str) -> list[tuple[int, str]]:
    """Return a sort key that puts fold "10" after "9".

    >>> sorted(["run10", "run9", "b"], key=natural_key)
    ['b', 'run9', 'run10']
    >>> natural_key("1" * 5000) < natural_key("2" * 5000)
    True
    """
    parts = re.split(r"(\d+)", text)
    numbers = [part.lstrip("0") for part in parts]  # compared as text: a number may have any length
    return [(len(n), n) if part.isdecimal() else (-1, part) for part, n in zip(parts, numbers, strict=True)]


def _indices(names: Names, classes: tuple[str, ...], *, allow_empty: bool) -> Integers:
    known = {name: index for index, name in enumerate(classes)}
    if allow_empty:
        known.setdefault(NO_ANSWER, -1)
    values, inverse = np.unique(names, return_inverse=True)
    for value in values.tolist():
        if value not in known:
            raise PredictionsError(f"label '{value}' is unknown, expected one of {', '.join(classes)}")
    table = np.array([known[value] for value in values.tolist()], dtype=np.int64)
    return table[inverse] if len(values) else np.zeros(0, dtype=np.int64)
