"""Out-of-fold predictions of each corpus, from the scores of all folds on their test clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emovox.evaluation.adaptation.counts import AdaptationCounts
from emovox.evaluation.figures.predictions import NO_ANSWER, Predictions, Row
from emovox.schema.figure import TILE
from emovox.schema.labels import merge_matrix
from emovox.training.data.task import Indices, Task

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoldScores:
    """Scores of a fold's model on the fold's test clips.

    Attributes:
        number: of the fold, from 1.
        test: [k] indices of the test clips.
        scores: test condition (a key of `CONDITIONS`) → [k, classes] probabilities over all training classes; NaN where
            no speech was found. `tile`, the path of `predict`, is always among them.
        temperature: divides the logits; fitted on held-out training speakers.
        chosen: other values that the method chose or measured on held-out training speakers.
        adaptation: counts of the test speakers by the adaptation protocol; none if the model cannot adapt.
    """

    number: int
    test: Indices
    scores: Mapping[str, Matrix]
    temperature: float
    chosen: dict[str, float]
    adaptation: tuple[AdaptationCounts, ...] = ()


def masked_predictions(task: Task, folds: Sequence[FoldScores], corpus: str, *, condition: str = TILE) -> Predictions:
    """Return the predictions for one corpus over its classes: the others masked, the scores renormalised.

    See docs/protocols.md, "Rule 8: label spaces".

    Args:
        task: the clips and classes of the folds.
        folds: the scores of all folds.
        corpus: name of the corpus.
        condition: a test condition of the folds. Default: `tile`, the path of `predict`.
    """
    first = next(i for i, clip in enumerate(task.clips) if clip.corpus == corpus)
    allowed = task.allowed[first]
    classes = tuple(name for name, has in zip(task.classes, allowed, strict=True) if has)
    return _predictions(task, folds, corpus, np.diag(allowed.astype(float))[:, allowed], classes, condition=condition)


def merged_predictions(task: Task, folds: Sequence[FoldScores], corpus: str, labels: Sequence[str]) -> Predictions:
    """Return predictions over the labels of the exported model, without a mask and without clips of dropped classes."""
    merge = np.array(merge_matrix(task.classes, labels))
    return _predictions(task, folds, corpus, merge, tuple(labels), condition=TILE)


def _predictions(
    task: Task, folds: Sequence[FoldScores], corpus: str, merge: Matrix, labels: tuple[str, ...], *, condition: str
) -> Predictions:
    rows = []
    for fold in folds:
        values = fold.scores[condition] @ merge
        values = values / values.sum(axis=1, keepdims=True)
        for clip, scores in zip(fold.test, values, strict=True):
            target = merge[task.labels[clip]]
            if task.clips[clip].corpus == corpus and target.any():
                rows.append(_row(task, int(clip), fold.number, labels[int(target.argmax())], scores, labels))
    return Predictions.from_rows(rows, labels)


def _row(task: Task, clip: int, fold: int, label: str, scores: npt.NDArray[np.float64], labels: tuple[str, ...]) -> Row:
    known = task.clips[clip]
    answered = not np.isnan(scores).any()
    predicted = labels[int(scores.argmax())] if answered else NO_ANSWER
    kept = scores.tolist() if answered else None
    return Row(known.corpus, known.id, known.speaker or "", str(fold), label, predicted, kept)
