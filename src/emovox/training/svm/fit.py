"""Fit the baseline on training clips: hyper-parameters and temperature by held-out training speakers, then all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from emovox.corpora.folds import speaker_key
from emovox.evaluation.calibration import fit_temperature
from emovox.features.groups import group_columns
from emovox.models.svm import (
    Matrix,
    Projection,
    SvmModel,
    fit_machines,
    fit_projection,
    kernel,
    natural_gamma,
    prune,
    softmax,
)
from emovox.training.svm.recipe import SvmRecipe
from emovox.training.svm.task import SvmTask
from emovox.training.task import Indices
from emovox.training.views import NARROW


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
    splits = list(inner_splits(task, train, recipe))
    held = np.concatenate([validation for _, validation in splits])
    grid = [(c, gamma) for gamma in recipe.svm.gamma for c in recipe.svm.c]
    tiles = task.rows.select(held)
    decisions = np.full((len(grid), len(task.rows.values), len(task.classes)), np.nan)
    for fit_on, validation in splits:
        for number, values in enumerate(_grid_decisions(task, fit_on, validation, columns, recipe)):
            decisions[number, task.rows.select(validation)] = values
    scores = [_held_out_uar(task, held, tiles, values[tiles]) for values in decisions]
    best = int(np.argmax(scores))
    c, gamma = grid[best]
    temperature = _temperature(task, tiles, decisions[best, tiles])
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


def inner_splits(task: SvmTask, train: Indices, recipe: SvmRecipe) -> Iterator[tuple[Indices, Indices]]:
    """Split training clips into (fit, validation) by speaker; by clip where the protocol is speaker-dependent.

    Every corpus is split on its own, so that each inner fold holds all of them. A corpus with fewer speakers than inner
    folds is in the validation part of as many; one with a single training speaker can only be split by clip.
    """
    n_splits = recipe.svm.inner_folds
    part = np.zeros(len(task.clips), dtype=np.int64)
    for corpus in task.corpora:
        own = [int(i) for i in train if task.clips[i].corpus == corpus]
        names = [speaker_key(task.clips[i]) for i in own]
        if recipe.data.protocol == "sd" or len(set(names)) < 2:
            # by label first: ids often count through the labels, and a part must not be all of one label
            names = [f"{task.labels[i]:03d} {task.clips[i].id}" for i in own]
        # dealt in turn over the sorted names; a seed decides where the order begins
        order = {name: (place + recipe.seed) % n_splits for place, name in enumerate(sorted(set(names)))}
        for i, name in zip(own, names, strict=True):
            part[i] = order[name]
    for number in np.unique(part[train]):
        yield train[part[train] != number], train[part[train] == number]


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


def _held_out_uar(task: SvmTask, held: Indices, tiles: Indices, decisions: Matrix) -> float:
    """Mean over corpora of the UAR in percent of held-out training clips; clips without speech count as wrong."""
    scores = softmax(decisions, task.allowed[task.rows.owner[tiles]])
    means = task.rows.clip_means(scores, tiles, len(task.clips))
    predicted = np.where(np.isnan(means[:, 0]), -1, np.nan_to_num(means).argmax(axis=1))
    corpora = np.array([clip.corpus for clip in task.clips])
    values = []
    for corpus in task.corpora:
        own = held[corpora[held] == corpus]
        recalls = [np.mean(predicted[own[task.labels[own] == k]] == k) for k in np.unique(task.labels[own])]
        if recalls:
            values.append(100 * float(np.mean(recalls)))
    return float(np.mean(values))


def _temperature(task: SvmTask, tiles: Indices, decisions: Matrix) -> float:
    """Calibrate held-out training tiles; corpora count alike, as in the figure that it serves (PROTOCOLS, rule 10)."""
    owner = task.rows.owner[tiles]
    masked = np.where(task.allowed[owner], decisions, -np.inf)
    corpora = np.array([task.clips[clip].corpus for clip in owner])
    _, corpus, count = np.unique(corpora, return_inverse=True, return_counts=True)
    return fit_temperature(masked, task.labels[owner], weights=1 / count[corpus])
