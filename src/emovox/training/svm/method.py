"""The method of the baseline: fit on a fold's training clips, score its test clips as `predict` does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from emovox.augment.conditions import check_conditions
from emovox.augment.config import rounds
from emovox.augment.sources import noise_folder
from emovox.corpora.folds import Fold
from emovox.corpora.provenance import card_corpora
from emovox.corpora.registry import CORPORA
from emovox.models.encoders import build_encoder
from emovox.models.scores import Matrix, softmax
from emovox.models.trained import NetworkCard, TrainedModel
from emovox.schema.errors import RecipeError
from emovox.schema.labels import merge_matrix
from emovox.schema.progress import Progress, no_progress
from emovox.training.cross_validation import FoldScores
from emovox.training.data.inputs import Inputs, recipe_inputs
from emovox.training.data.statistics import Values, pooled
from emovox.training.data.task import Indices, Task
from emovox.training.data.views import scored_views
from emovox.training.run_folder import MODEL
from emovox.training.stages.head import logits
from emovox.training.svm.fit import Fit, FittedSvm
from emovox.training.svm.recipe import SvmRecipe


@dataclass(frozen=True, eq=False)
class SvmMethod:
    """Functionals, PCA and one machine per class; see `emovox.training.run.Method`. It keeps no checkpoints."""

    task: Task
    inputs: Inputs
    recipe: SvmRecipe
    versions = ("emovox", "numpy", "scipy", "scikit-learn", "torch", "soundfile", "soxr")

    @classmethod
    def prepared(
        cls, task: Task, recipe: SvmRecipe, *, folder: Path, workers: int = 2, progress: Progress = no_progress
    ) -> SvmMethod:
        """Check the recipe against the clips, then compute the functionals or read them from the cache.

        Args:
            task: the clips.
            recipe: of the baseline.
            folder: the cache folder.
            workers: processes that compute functionals.
            progress: called after each clip whose functionals were computed.

        Raises:
            RecipeError: copies of corpora that the task lacks, or unknown test conditions.
            CorpusError: clips that cannot be read or decoded.
        """
        for table in rounds(recipe.augment) if recipe.conditions else ():
            check_conditions(recipe.conditions, learnt=noise_folder(table))
        named = {"copies": recipe.copies, "whole": recipe.whole if isinstance(recipe.whole, tuple) else ()}
        for key, names in named.items():
            if unknown := sorted(set(names) - {*task.corpora, *CORPORA}):
                raise RecipeError(f"{key} has {', '.join(unknown)}, expected some of {', '.join(task.corpora)}")
        conditions = recipe.conditions
        inputs = recipe_inputs(
            task.clips, recipe, folder=folder, conditions=conditions, workers=workers, progress=progress
        )
        return cls(task, inputs, recipe)

    @cached_property
    def values(self) -> Values:
        """Return the functionals [m, p] of all rows of the inputs."""
        return pooled(build_encoder(self.recipe.encoder), self.inputs, np.arange(len(self.inputs.owner)))

    def fold(self, fold: Fold, folder: Path) -> FoldScores:
        """Fit on the fold's training clips and score its test clips."""
        fitted, _ = self._fit(np.array(fold.train, dtype=np.int64), folder, fold.number)
        test = np.array(fold.test, dtype=np.int64)
        scores = {view: self._scores(fitted, test, view) for view in scored_views(self.recipe.conditions)}
        choice = fitted.choice
        chosen = {"c": choice.c, "gamma": choice.gamma, "inner_uar": choice.uar}
        return FoldScores(fold.number, test, scores, fitted.temperature, chosen)

    def fit(self, trained: Indices, folder: Path) -> TrainedModel:
        """Choose, calibrate and fit on these clips, and return the network."""
        return self._fit(trained, folder, None)[1]

    def sentence(self, scores: FoldScores) -> str:
        """Return a message with the chosen point, its UAR on held-out training speakers, and the temperature."""
        chosen = scores.chosen
        return (
            f"C {chosen['c']:g}, gamma {chosen['gamma']:g} "
            f"(UAR {chosen['inner_uar']:.1f} on held-out training speakers), temperature {scores.temperature:.2f}"
        )

    def _fit(self, trained: Indices, folder: Path, fold: int | None) -> tuple[FittedSvm, TrainedModel]:
        """Fit, and save the network in `folder/model`."""
        fitted = Fit(self.task, self.inputs, self.values, trained, self.recipe).run()
        recipe, task = self.recipe, self.task
        labels = recipe.labels or task.classes
        card = NetworkCard(
            name=recipe.name,
            recipe=msgspec.to_builtins(recipe),
            recipe_sha256=recipe.sha256(),
            encoder=recipe.encoder,
            classes=task.classes,
            labels=labels,
            merge=tuple(map(tuple, merge_matrix(task.classes, labels))),
            temperature=fitted.temperature,
            adaptable=False,
            corpora=card_corpora([task.clips[clip] for clip in trained]),
            fold=fold,
        )
        model = TrainedModel(fitted.network, card)
        model.save(folder / MODEL)
        return fitted, model

    def _scores(self, fitted: FittedSvm, test: Indices, view: str) -> Matrix:
        rows = self.inputs.select(test, (view,))
        scores = softmax(logits(fitted.network.head, self.values[rows]) / fitted.temperature)
        return self.inputs.clip_means(scores, rows, test)
