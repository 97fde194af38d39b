"""Checks of a teacher: it is not smaller than the student, and did not learn from test clips."""

from __future__ import annotations

import csv
from pathlib import Path

import torch

from emovox.corpora.folds import Fold
from emovox.models.encoders import build_encoder
from emovox.models.head import Head
from emovox.models.network import count_parameters
from emovox.models.trained import TrainedModel
from emovox.schema.errors import RecipeError, WeightsError
from emovox.training.data.task import Task, task_folds
from emovox.training.network_recipe import NetworkRecipe, Teacher
from emovox.training.run_folder import model_folder


def check_teacher_size(recipe: NetworkRecipe, teacher: Teacher, n_classes: int) -> None:
    """Refuse a student that is larger than its teacher.

    Raises:
        RecipeError: the encoder and head of the recipe have more parameters than those of its teacher.
    """
    own, other = (_parameters(one, n_classes) for one in (recipe, teacher.recipe))
    if own > other:
        raise RecipeError(
            f"{recipe.name}: has {own:,} parameters, its teacher {teacher.recipe.name} has {other:,}; expected a "
            "student that is no larger: name a larger teacher, or make encoder and head smaller"
        )


def _parameters(recipe: NetworkRecipe, n_classes: int) -> int:
    with torch.random.fork_rng(devices=[]):
        encoder = build_encoder(recipe.encoder)
        head = Head(encoder.n_statistics, n_classes, recipe.head)
    return count_parameters(encoder) + recipe.members * count_parameters(head)


def check_teacher_run(task: Task, recipe: NetworkRecipe, run: str) -> None:
    """Refuse a run whose networks cannot be the teachers of a recipe.

    Raises:
        RecipeError: a network is missing, has other classes, or has learnt from clips that the student is tested on.
    """
    folder = Path(run).expanduser()
    for fold in task_folds(task, recipe.data, seed=recipe.seed):
        _check_model(task, folder, fold.number)
        _check_fold(task, folder, fold)
    if recipe.export:
        _check_model(task, folder, None)


def _check_model(task: Task, folder: Path, fold: int | None) -> None:
    place = model_folder(folder, fold)
    try:
        card = TrainedModel.load(place).card
    except WeightsError as error:
        raise RecipeError(
            f"teacher.run is '{folder}', which lacks a network ({error}); expected a finished run with the folds of "
            "the student, and export = true if the student has it"
        ) from error
    if card.classes != task.classes:
        raise RecipeError(
            f"teacher.run is '{folder}' with the classes {', '.join(card.classes)}, expected those of the student, "
            f"{', '.join(task.classes)}; train the teacher on corpora with the same labels"
        )


def _check_fold(task: Task, folder: Path, fold: Fold) -> None:
    """Refuse a network that learnt from a test clip: one of its corpora, and not in the test of its own fold."""
    learnt = {corpus.name for corpus in TrainedModel.load(model_folder(folder, fold.number)).card.corpora}
    path = folder / "folds" / f"{fold.number}.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            tested = {(row["corpus"], row["utterance"]) for row in csv.DictReader(file)}
    except (OSError, KeyError) as error:
        raise RecipeError(
            f"teacher.run is '{folder}', but {path} has no test clips ({error}); expected a finished run"
        ) from error
    for clip in (task.clips[number] for number in fold.test):
        if clip.corpus in learnt and (clip.corpus, clip.id) not in tested:
            raise RecipeError(
                f"teacher.run is '{folder}', whose network of fold {fold.number} may have learnt from "
                f"{clip.corpus} {clip.id}, on which the student is tested; expected a run with the same data, protocol "
                "and seed"
            )
