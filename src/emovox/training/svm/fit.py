"""Fit the baseline on training clips: hyper-parameters and temperature by held-out training speakers, then all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from emovox.augment.conditions import NARROW
from emovox.features.groups import group_columns
from emovox.models.scores import Matrix
from emovox.models.svm import Projection, SvmModel, fit_machines, fit_projection, kernel, natural_gamma, prune
from emovox.training.data.task import Indices
from emovox.training.held_out import HeldOut, held_out_temperature, held_out_uar, inner_splits
from emovox.training.svm.recipe import SvmRecipe
from emovox.training.svm.task import SvmTask


@dataclass(frozen=True)
class Choice:
    """A point of the grid, and the mean UAR in percent that it reached on held-out training speakers."""

    c: float
    gamma: float
    uar: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model with the choice that led to it."""

    model: SvmModel
    choice: Choice


def fit(task: SvmTask, train: Indices, recipe: SvmRecipe) -> Fitted:
    """Choose on inner folds of the training speakers, calibrate there, and fit on all training clips.

    Args:
        task: clips and functionals.
        train: indices of the training clips; no other clip is looked at.
        recipe: groups, PCA, grid and seed.
    """
    columns = choose_columns(task, train, recipe)
    by_clip = recipe.data.protocol == "sd"
    splits = list(inner_splits(task, train, n_splits=recipe.svm.inner_folds, by_clip=by_clip, seed=recipe.seed))
    held = np.concatenate([validation for _, validation in splits])
    grid = [(c, gamma) for gamma in recipe.svm.gamma for c in recipe.svm.c]
    tiles = task.rows.select(held)
    decisions = np.full((len(grid), len(task.rows.values), len(task.classes)), np.nan)
    for fit_on, validation in splits:
        for number, values in enumerate(_grid_decisions(task, fit_on, validation, columns, recipe)):
            decisions[number, task.rows.select(validation)] = values
    rows = HeldOut(held, task.rows.owner[tiles], task.rows.seconds[tiles])
    scores = [held_out_uar(task, rows, values[tiles]) for values in decisions]
    best = int(np.argmax(scores))
    c, gamma = grid[best]
    temperature = held_out_temperature(task, rows, decisions[best, tiles])
    model = replace(_fit_point(task, train, columns, recipe, c, gamma), temperature=temperature)
    return Fitted(model, Choice(c, gamma, scores[best]))


def choose_columns(task: SvmTask, train: Indices, recipe: SvmRecipe) -> Indices:
    """Return the functionals of the recipe's groups, or of these the `select` that tell most about the class.

    Reference:
        Kraskov, Stögbauer and Grassberger, "Estimating mutual information", Phys. Rev. E 69 (2004).
    """
    columns = group_columns(recipe.features.groups)
    if not 0 < recipe.features.select < len(columns):
        return columns
    from sklearn.feature_selection import mutual_info_classif

    tiles = task.rows.select(train)
    told = mutual_info_classif(
        task.rows.values[tiles][:, columns], task.labels[task.rows.owner[tiles]], random_state=recipe.seed
    )
    return np.sort(columns[np.argsort(-told, kind="stable")[: recipe.features.select]])


def _fit_point(task: SvmTask, train: Indices, columns: Indices, recipe: SvmRecipe, c: float, gamma: float) -> SvmModel:
    rows, projection, projected = _project(task, train, columns, recipe)
    width = gamma * natural_gamma(projected)
    owner = task.rows.owner[rows]
    weights, bias = fit_machines(kernel(projected, projected, width), task.labels[owner], task.allowed[owner], c=c)
    support, weights = prune(projected, weights)
    return SvmModel(task.classes, projection, support, weights, bias, width)


def _grid_decisions(
    task: SvmTask, train: Indices, validation: Indices, columns: Indices, recipe: SvmRecipe
) -> Iterator[Matrix]:
    rows, projection, projected = _project(task, train, columns, recipe)
    owner = task.rows.owner[rows]
    held = projection(task.rows.values[task.rows.select(validation)].astype(np.float64))
    for gamma in recipe.svm.gamma:
        width = gamma * natural_gamma(projected)
        gram, across = kernel(projected, projected, width), kernel(held, projected, width)
        for c in recipe.svm.c:
            weights, bias = fit_machines(gram, task.labels[owner], task.allowed[owner], c=c)
            yield across @ weights + bias


def _project(task: SvmTask, train: Indices, columns: Indices, recipe: SvmRecipe) -> tuple[Indices, Projection, Matrix]:
    rows = training_rows(task, train, recipe)
    values = task.rows.values[rows].astype(np.float64)
    projection = fit_projection(values, columns, variance=recipe.features.pca or None)
    return rows, projection, projection(values)


def training_rows(task: SvmTask, train: Indices, recipe: SvmRecipe) -> Indices:
    """Return the rows that training clips are learnt from: their tiles, and the further views of the recipe."""
    augment = recipe.augment
    named = augment.corpora or task.corpora
    widened = np.array([i for i in train if task.clips[i].corpus in named], dtype=np.int64)
    views = [task.rows.select(train), task.rows.select(widened, augment.copies)]
    if augment.narrow:
        views.append(task.rows.select(train, [NARROW]))
    return np.concatenate(views)
