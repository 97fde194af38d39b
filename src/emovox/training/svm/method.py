"""The baseline as a method: fit on a fold's training clips, score its test clips as `predict` would."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emovox.augment.conditions import NARROW
from emovox.corpora.folds import Fold
from emovox.models.scores import Matrix, softmax
from emovox.models.svm import SvmModel
from emovox.schema.errors import RecipeError
from emovox.training.cross_validation import FoldScores
from emovox.training.data.task import Indices
from emovox.training.data.views import TILE, WHOLE
from emovox.training.svm.fit import fit
from emovox.training.svm.recipe import SvmRecipe
from emovox.training.svm.task import SvmTask


@dataclass(frozen=True, eq=False)
class SvmMethod:
    """Functionals, PCA and one machine a class; see `emovox.training.run.Method`.

    A fit takes minutes and keeps no checkpoints, so the folders that it could keep them in are not made.

    Raises:
        RecipeError: the recipe names corpora that the task lacks.
    """

    task: SvmTask
    recipe: SvmRecipe
    versions = ("emovox", "numpy", "scipy", "scikit-learn", "numba", "soundfile", "soxr")

    def __post_init__(self) -> None:
        unknown, known = sorted(set(self.recipe.augment.corpora) - set(self.task.corpora)), self.task.corpora
        if unknown:
            raise RecipeError(f"augment.corpora has {', '.join(unknown)}, expected some of {', '.join(known)}")

    def fold(self, fold: Fold, folder: Path) -> FoldScores:  # noqa: ARG002
        """Fit on the fold's training clips and score its test clips."""
        fitted = fit(self.task, np.array(fold.train, dtype=np.int64), self.recipe)
        test = np.array(fold.test, dtype=np.int64)
        return FoldScores(
            number=fold.number,
            test=test,
            scores={view: _clip_scores(self.task, fitted.model, test, view) for view in (TILE, WHOLE, NARROW)},
            temperature=fitted.model.temperature,
            chosen={"c": fitted.choice.c, "gamma": fitted.choice.gamma, "inner_uar": fitted.choice.uar},
        )

    def fit(self, trained: Indices, folder: Path) -> SvmModel:  # noqa: ARG002
        """Choose, calibrate and fit on these clips."""
        return fit(self.task, trained, self.recipe).model

    def sentence(self, scores: FoldScores) -> str:
        """Tell what was chosen, and how good it is on speakers of the training part."""
        chosen = scores.chosen
        return (
            f"C {chosen['c']:g}, gamma {chosen['gamma']:g} "
            f"(UAR {chosen['inner_uar']:.1f} on held-out training speakers), temperature {scores.temperature:.2f}"
        )


def _clip_scores(task: SvmTask, model: SvmModel, clips: Indices, view: str) -> Matrix:
    rows = task.rows.select(clips, (view,))
    scores = softmax(model.decisions(task.rows.values[rows].astype(np.float64)) / model.temperature)
    means: Matrix = task.rows.clip_means(scores, rows, len(task.clips))[clips]
    return means
