"""Fit the baseline: hyper-parameters and temperature on held-out training speakers, then all training clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from emovox.features.groups import group_columns
from emovox.models.encoders import build_encoder
from emovox.models.network import BaseNetwork
from emovox.models.scores import Matrix
from emovox.models.svm import (
    Machines,
    Projection,
    SvmHead,
    fit_machines,
    fit_projection,
    kernel,
    natural_gamma,
    prune,
    squared_distances,
)
from emovox.training.data.inputs import Inputs
from emovox.training.data.statistics import Values
from emovox.training.data.task import Indices, Task
from emovox.training.held_out import HeldOut, held_out_temperature, held_out_uar, inner_splits
from emovox.training.svm.recipe import SvmRecipe


@dataclass(frozen=True)
class Choice:
    """A point of the grid, and its mean UAR in percent on held-out training speakers."""

    c: float
    gamma: float
    uar: float


@dataclass(frozen=True, eq=False)
class FittedSvm:
    """A network with its temperature, and the point of the grid that was chosen."""

    network: BaseNetwork
    temperature: float
    choice: Choice


@dataclass(frozen=True, eq=False)
class Fit:
    """A fit of the baseline.

    Attributes:
        task: the clips.
        inputs: clip and view of each of m rows.
        values: [m, p] statistics of all rows.
        train: numbers of the training clips; only these are used.
        recipe: of the baseline.
    """

    task: Task
    inputs: Inputs
    values: Values
    train: Indices
    recipe: SvmRecipe

    def run(self) -> FittedSvm:
        """Choose and calibrate on inner folds of the training speakers, then fit on all training clips."""
        columns, recipe = self.columns(), self.recipe
        by_clip = recipe.data.protocol == "sd"
        splits = list(
            inner_splits(self.task, self.train, n_splits=recipe.svm.inner_folds, by_clip=by_clip, seed=recipe.seed)
        )
        held = np.concatenate([validation for _, validation in splits])
        grid = [(c, gamma) for gamma in recipe.svm.gamma for c in recipe.svm.c]
        tiles = self.inputs.select(held)
        decisions = np.full((len(grid), len(self.values), len(self.task.classes)), np.nan)
        for fit_on, validation in splits:
            for number, found in enumerate(self._grid_decisions(fit_on, validation, columns)):
                decisions[number, self.inputs.select(validation)] = found
        rows = HeldOut(held, self.inputs.owner[tiles], self.inputs.seconds[tiles])
        scores = [held_out_uar(self.task, rows, found[tiles]) for found in decisions]
        best = int(np.argmax(scores))
        temperature = held_out_temperature(self.task, rows, decisions[best, tiles])
        network = BaseNetwork(build_encoder(recipe.encoder), self._head(columns, *grid[best])).eval()
        return FittedSvm(network, temperature, Choice(*grid[best], scores[best]))

    def columns(self) -> Indices:
        """Return the columns of the recipe's groups; with `select`, only those with the most information on the class.

        Reference:
            Kraskov, Stögbauer and Grassberger, "Estimating mutual information", Phys. Rev. E 69 (2004).
        """
        features = self.recipe.features
        columns = group_columns(features.groups)
        if not 0 < features.select < len(columns):
            return columns
        from sklearn.feature_selection import mutual_info_classif

        tiles = self.inputs.select(self.train)
        labels = self.task.labels[self.inputs.owner[tiles]]
        information = mutual_info_classif(self.values[tiles][:, columns], labels, random_state=self.recipe.seed)
        return np.sort(columns[np.argsort(-information, kind="stable")[: features.select]])

    def rows(self, clips: Indices) -> Indices:
        """Return the training rows of clips, by the recipe."""
        whole = self.recipe.whole
        named = self.task.corpora if whole is True else whole or ()
        taken = np.array([clip for clip in clips if self.task.clips[clip].corpus in named], dtype=np.int64)
        return self.inputs.learnt(clips, whole=taken, narrow=clips if self.recipe.narrow else clips[:0])

    def _head(self, columns: Indices, c: float, gamma: float) -> SvmHead:
        rows, projection, projected = self._project(self.train, columns)
        width = gamma * natural_gamma(projected)
        owner = self.inputs.owner[rows]
        distances = squared_distances(projected, projected)
        gram = kernel(distances, width, out=distances)
        weights, bias = fit_machines(gram, self.task.labels[owner], self.task.allowed[owner], c=c)
        support, weights = prune(projected, weights)
        return SvmHead(projection, Machines(support, weights, bias, width))

    def _grid_decisions(self, fit_on: Indices, validation: Indices, columns: Indices) -> Iterator[Matrix]:
        rows, projection, projected = self._project(fit_on, columns)
        owner, c_values = self.inputs.owner[rows], self.recipe.svm.c
        held = projection(self.values[self.inputs.select(validation)].astype(np.float64))
        within, across = squared_distances(projected, projected), squared_distances(held, projected)
        for gamma in self.recipe.svm.gamma:
            width = gamma * natural_gamma(projected)
            gram, held_gram = kernel(within, width), kernel(across, width)
            for c in c_values:
                weights, bias = fit_machines(gram, self.task.labels[owner], self.task.allowed[owner], c=c)
                yield held_gram @ weights + bias

    def _project(self, clips: Indices, columns: Indices) -> tuple[Indices, Projection, Matrix]:
        rows = self.rows(clips)
        values = self.values[rows].astype(np.float64)
        projection = fit_projection(values, columns, variance=self.recipe.features.pca or None)
        return rows, projection, projection(values)
