"""Out-of-fold predictions: what the models of all folds say about their test clips, corpus by corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emovox.evaluation.figures.predictions import NO_ANSWER, Predictions, Row
from emovox.schema.labels import merge_matrix
from emovox.training.data.task import Indices, Task
from emovox.training.data.views import NARROW, SPEAKER, TILE, WHOLE

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoldScores:
    """What a fold's model says about the fold's test clips.

    `test` [k] indices of the clips; `tile`, `whole` and `narrow` [k, classes] probabilities over all training classes:
    from the tiles as on the path of `predict` (NaN where no speech was found), from the clip in one piece, and from the
    tiles through the telephone's band; `speaker` from tiles normalised by the statistics of all of that speaker's test
    clips, where a method can; `temperature` was fitted on held-out training speakers, as was all else that a
    method records in `chosen`.
    """

    number: int
    test: Indices
    tile: Matrix
    whole: Matrix
    narrow: Matrix
    temperature: float
    chosen: dict[str, float]
    speaker: Matrix | None = None

    def view(self, name: str) -> Matrix:
        """Return the scores [k, classes] of a view: `TILE`, `WHOLE`, `NARROW` or `SPEAKER`."""
        values = {TILE: self.tile, WHOLE: self.whole, NARROW: self.narrow, SPEAKER: self.speaker}[name]
        if values is None:
            raise ValueError(f"fold {self.number}: has no view '{name}'")
        return values


def masked_predictions(task: Task, folds: Sequence[FoldScores], corpus: str, *, view: str = TILE) -> Predictions:
    """Predictions for one corpus over its own classes: the others masked, the scores renormalised (PROTOCOLS, rule 8).

    Args:
        task: what the folds were run on.
        folds: all of them.
        corpus: the corpus.
        view: `TILE`, the path of `predict`, or another view of the folds.
    """
    own = [i for i, clip in enumerate(task.clips) if clip.corpus == corpus]
    allowed = task.allowed[own[0]]
    classes = tuple(name for name, has in zip(task.classes, allowed, strict=True) if has)
    return _predictions(task, folds, corpus, np.diag(allowed.astype(float))[:, allowed], classes, view=view)


def merged_predictions(task: Task, folds: Sequence[FoldScores], corpus: str, labels: Sequence[str]) -> Predictions:
    """Predictions over the labels of the exported model, nothing masked; clips whose class it drops are left out."""
    merge = np.array(merge_matrix(task.classes, labels))
    return _predictions(task, folds, corpus, merge, tuple(labels), view=TILE)


def _predictions(
    task: Task, folds: Sequence[FoldScores], corpus: str, merge: Matrix, labels: tuple[str, ...], *, view: str
) -> Predictions:
    rows = []
    for fold in folds:
        values = fold.view(view) @ merge
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
