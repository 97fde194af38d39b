"""Out-of-fold predictions: fit on a fold's training clips, score its test clips as `predict` would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emovox.corpora.folds import Fold
from emovox.evaluation.predictions import NO_ANSWER, Predictions, Row
from emovox.models.svm import Matrix, SvmModel, softmax
from emovox.schema.labels import merge_matrix
from emovox.training.fit import fit
from emovox.training.recipe import Recipe
from emovox.training.rows import AS_IS, WHOLE, Indices
from emovox.training.task import Task


@dataclass(frozen=True, eq=False)
class FoldScores:
    """What a fold's model says about the fold's test clips.

    `test` [k] indices of the clips; `tiles` and `whole` [k, classes] probabilities over all training classes, from the
    tiles as on the path of `predict` (NaN where no speech was found) and from the clip in one piece; the other fields
    record what was chosen on training speakers.
    """

    number: int
    test: Indices
    tiles: Matrix
    whole: Matrix
    c: float
    gamma: float
    temperature: float
    inner_uar: float


def run_fold(task: Task, fold: Fold, recipe: Recipe) -> FoldScores:
    """Fit on the fold's training clips and score its test clips."""
    fitted = fit(task, np.array(fold.train, dtype=np.int64), recipe)
    test = np.array(fold.test, dtype=np.int64)
    return FoldScores(
        fold.number,
        test,
        _clip_scores(task, fitted.model, test, AS_IS),
        _clip_scores(task, fitted.model, test, WHOLE),
        fitted.choice.c,
        fitted.choice.gamma,
        fitted.model.temperature,
        fitted.choice.uar,
    )


def _clip_scores(task: Task, model: SvmModel, clips: Indices, kind: float) -> Matrix:
    rows = task.rows.select(clips, (kind,))
    scores = softmax(model.decisions(task.rows.values[rows].astype(np.float64)) / model.temperature)
    means: Matrix = task.rows.clip_means(scores, rows, len(task.clips))[clips]
    return means


def masked_predictions(task: Task, folds: Sequence[FoldScores], corpus: str, *, whole: bool = False) -> Predictions:
    """Predictions for one corpus over its own classes: the others masked, the scores renormalised (PROTOCOLS, rule 8).

    Args:
        task: what the folds were run on.
        folds: all of them.
        corpus: the corpus.
        whole: the clip in one piece in place of the path of `predict`.
    """
    own = [i for i, clip in enumerate(task.clips) if clip.corpus == corpus]
    allowed = task.allowed[own[0]]
    classes = tuple(name for name, has in zip(task.classes, allowed, strict=True) if has)
    return _predictions(task, folds, corpus, np.diag(allowed.astype(float))[:, allowed], classes, whole=whole)


def merged_predictions(task: Task, folds: Sequence[FoldScores], corpus: str, labels: Sequence[str]) -> Predictions:
    """Predictions over the labels of the exported model, nothing masked; clips whose class it drops are left out."""
    merge = np.array(merge_matrix(task.classes, labels))
    return _predictions(task, folds, corpus, merge, tuple(labels), whole=False)


def _predictions(
    task: Task, folds: Sequence[FoldScores], corpus: str, merge: Matrix, labels: tuple[str, ...], *, whole: bool
) -> Predictions:
    rows = []
    for fold in folds:
        values = (fold.whole if whole else fold.tiles) @ merge
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
