"""The networks of a run for INT8: read where a recipe's stage has made them, else trained now."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emovox.compression.learnt import LearntModel
from emovox.corpora.load import load_clips
from emovox.models.network import Network
from emovox.models.trained import ABOUT, TrainedModel, weights_hash
from emovox.schema.errors import CompressionError
from emovox.training.data.sampler import derived_seed
from emovox.training.data.task import Indices, Task, make_task, task_folds
from emovox.training.log import Report
from emovox.training.network_recipe import recipe_of_run
from emovox.training.quantisation import is_made_from, learn_quantisation, load_quantised, save_quantised
from emovox.training.quantise_plan import Quantise
from emovox.training.run import trained_clips
from emovox.training.run_folder import QUANTISED, model_folder
from emovox.training.stages.stage import QUANTISE


def learnt_network(folder: Path, fold: int | None = None, *, report: Report | None = None) -> LearntModel:
    """Return a network of a run after quantisation-aware training on its own training clips.

    What was trained once is kept in the run folder, beside the network, and read again. If the network has changed
    since, it is trained anew.

    Args:
        folder: the run folder.
        fold: number of the fold. Default: the network of all clips.
        report: called with the progress.

    Raises:
        RecipeError: the folder holds no run of a network.
        CompressionError: the run has no such network.
        ModelError: the encoder has nothing to quantise.
        TrainingError: the clips hold too little speech.
        CorpusError: the clips of the run cannot be read.
    """
    trained = model_folder(folder, fold)
    recipe = recipe_of_run(folder, need="quantise")
    if not (trained / ABOUT).is_file():
        raise CompressionError(
            f"{folder}: has no trained network, expected {trained / ABOUT}; set export = true in the recipe, and train "
            "with --resume"
        )
    place = trained.with_name(QUANTISED)
    if is_made_from(place, trained):
        return LearntModel(*load_quantised(place))
    model = TrainedModel.load(trained)
    if not isinstance(model.network, Network):
        raise CompressionError(f"{folder}: its model is not a network, expected one such as mobile, hybrid or accurate")
    task, clips = training_clips(folder, fold)
    plan, key = recipe.quantise or Quantise(), weights_hash(trained)
    seed, checkpoint = derived_seed(recipe.seed, QUANTISE), trained.with_name(f"quantise-{key[:16]}")
    made = learn_quantisation(task, model.network, clips, plan, seed=seed, folder=checkpoint, key=key, report=report)
    return LearntModel(save_quantised(made, model, place, source=trained), made.ranges)


def training_paths(folder: Path, *, clips: int, seed: int) -> list[Path]:
    """Return recordings that a run's network of all clips learnt from, drawn without repetition.

    Raises:
        CompressionError: there is no such folder, so it has no clips to calibrate on.
        RecipeError: the folder holds no run of a network.
        CorpusError: the clips cannot be read.
    """
    if not folder.is_dir():
        raise CompressionError(
            f"calibration data: got none for '{folder}', which is not a run folder; give recordings by "
            "--calibrate: a folder, a manifest (.jsonl), a table (.csv) or the name of a corpus"
        )
    task, learnt = training_clips(folder)
    chosen = np.random.default_rng(seed).permutation(learnt)[:clips]
    return [Path(task.clips[i].path) for i in sorted(chosen.tolist())]


def training_clips(folder: Path, fold: int | None = None) -> tuple[Task, Indices]:
    """Return the clips of a run, and the numbers of those that the network of a fold, or of all clips, learnt from.

    Raises:
        RecipeError: the folder holds no run of a network.
        CompressionError: the run has no such fold.
        CorpusError: the clips cannot be read.
    """
    recipe = recipe_of_run(folder, need="quantise")
    task = make_task(load_clips(recipe.data.corpora, name=recipe.data.name), recipe.data)
    folds = task_folds(task, recipe.data, seed=recipe.seed)
    if fold is None:
        return task, trained_clips(folds)
    chosen = next((one for one in folds if one.number == fold), None)
    if chosen is None:
        raise CompressionError(f"{folder}: got fold {fold}, expected 1 to {len(folds)}")
    return task, np.array(chosen.train, np.int64)
