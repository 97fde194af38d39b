"""Prune a finished run: a new run with the table [prune], which takes over what its stages before it have learnt."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from emovox.corpora.load import load_clips
from emovox.corpora.manifest import Clip
from emovox.schema.errors import RecipeError
from emovox.training.checkpoint import copy_checkpoint
from emovox.training.data.task import Indices, Task, make_task, task_folds
from emovox.training.fold_file import is_done
from emovox.training.loop import CHECKPOINT
from emovox.training.network_recipe import NetworkRecipe, Pruning, network_problems
from emovox.training.recipe import recipe_problems
from emovox.training.run import trained_clips
from emovox.training.stages.encoder import ENCODER_FOLDER, TEACHER_FOLDER
from emovox.training.stages.stage import fit_key, loop_key
from emovox.training.stages.unlabelled import unlabelled_clips


def pruned_recipe(before: NetworkRecipe, pruning: Pruning, *, name: str) -> NetworkRecipe:
    """Return the recipe of a run with its encoder pruned.

    Args:
        before: recipe of the run.
        pruning: the table.
        name: of the new recipe and its model; "": that of the run and the percentage that stays, such as mobile-80.

    Raises:
        RecipeError: a value is out of range, or the encoder has no layers to prune.
    """
    share = round(100 * pruning.keep) if np.isfinite(pruning.keep) else 0
    after = msgspec.structs.replace(before, name=name or f"{before.name}-{share}", prune=pruning)
    for problem in (*recipe_problems(after), *network_problems(after)):
        raise RecipeError(f"{after.name}: {problem}")
    return after


def take_over(run: Path, folder: Path, *, before: NetworkRecipe, after: NetworkRecipe) -> None:
    """Copy the first stage of each fold, and its teacher, from a finished run into the folder of a new one.

    The recipes differ in `name` and `prune` alone, so a training by `after` from the start gives the same network.
    Folds that the folder has already are left as they are.

    Raises:
        RecipeError: the run is not finished, or it is the folder of the new run.
        CheckpointError: a checkpoint is missing, damaged, or of other clips.
        CorpusError: clips that cannot be read.
    """
    task = make_task(load_clips(before.data.corpora, name=before.data.name), before.data)
    unlabelled = unlabelled_clips(before.teacher.unlabelled, task) if before.teacher is not None else ()
    for name, train in _fits(task, before).items():
        source, target = (place / "folds" / name for place in (run, folder))
        if not (is_done(source, adapts=False) or (name == "all" and source.is_dir())):
            raise RecipeError(f"{run}: fold {name} is not finished; continue it with emovox train --resume")
        if source.resolve() == target.resolve():
            raise RecipeError(f"{folder}: is the run that is to be pruned; name another folder by --output")
        take_over_fit(source, target, train, before=before, after=after, unlabelled=unlabelled)


def take_over_fit(
    source: Path,
    target: Path,
    train: Indices,
    *,
    before: NetworkRecipe,
    after: NetworkRecipe,
    unlabelled: Sequence[Clip] = (),
) -> None:
    """Copy the first stage of one fit, on the clips `train`; see `take_over`."""
    if (source / TEACHER_FOLDER).is_dir() and not (target / TEACHER_FOLDER).exists():
        shutil.copytree(source / TEACHER_FOLDER, target / TEACHER_FOLDER)
    place = Path(ENCODER_FOLDER) / CHECKPOINT
    if not (target / place).exists():
        keys = [loop_key(fit_key(recipe, train, unlabelled), ENCODER_FOLDER) for recipe in (before, after)]
        copy_checkpoint(source / place, target / place, key=keys[0], new_key=keys[1])


def _fits(task: Task, recipe: NetworkRecipe) -> dict[str, Indices]:
    """Return the training clips of each fit of a run, by the name of its folder."""
    folds = task_folds(task, recipe.data, seed=recipe.seed)
    fits = {str(fold.number): np.array(fold.train, dtype=np.int64) for fold in folds}
    return {**fits, "all": trained_clips(folds)} if recipe.export else fits
