"""Pruning as a stage: the smaller network learns further, from the same clips and the same teacher."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import numpy as np
import pytest
import torch

from emovox.models.pruning import pruned_config
from emovox.models.trained import TrainedModel
from emovox.training import loop
from emovox.training.checkpoint import State, save
from emovox.training.data.inputs import Inputs
from emovox.training.data.task import task_folds
from emovox.training.network import STAGES, NetworkMethod
from emovox.training.network_recipe import NetworkRecipe, Pruning, Teacher, network_problems, pruning_plan
from emovox.training.plan import Loss, Stopping
from emovox.training.stages import encoder as encoder_stage
from emovox.training.stages.stage import Context, Fitted, run_stages
from tests.models.small import MOBILE, small_encoders, write_whisper
from tests.training.rows import changed, drawn_inputs, drawn_task, plan, small_recipe

TASK = drawn_task()
TRAIN, TEST = np.arange(18), range(18, 24)
INPUTS, OTHERS = drawn_inputs(TASK), drawn_inputs(TASK, seed=1)
HALF = Pruning(keep=0.5, multiple=2, steps=6, learning_rate=0.01)
HEAD = msgspec.structs.replace(plan(6), stopping=Stopping())


@pytest.fixture(scope="module", autouse=True)
def no_curves() -> Iterator[None]:
    with mock.patch.object(loop, "save_figure"):
        yield


def recipe(**changes: Any) -> NetworkRecipe:
    learning = msgspec.structs.replace(plan(6, share=0.3), loss=Loss(hint=1.0))
    taught = Teacher(recipe=small_recipe(name="teacher"), share=0.7)
    return small_recipe(**{"teacher": taught, "learning": learning, "prune": HALF, "head_learning": HEAD, **changes})


def run(folder: Path, plans: NetworkRecipe, inputs: Inputs = INPUTS) -> Fitted:
    return run_stages(STAGES, Context(TASK, inputs, plans, TRAIN, folder, teacher_inputs=OTHERS))


def weights(fitted: Fitted) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in fitted.network.state_dict().values()])


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return run(tmp_path_factory.mktemp("pruned"), recipe())


def test_test_clips_are_not_looked_at_and_the_same_recipe_gives_the_same_network(
    fitted: Fitted, tmp_path: Path
) -> None:
    again = run(tmp_path, recipe(), changed(INPUTS, TEST, np.nan))
    assert torch.equal(weights(again), weights(fitted))
    assert (again.temperature, again.held_out_uar) == (fitted.temperature, fitted.held_out_uar)
    assert np.isfinite(fitted.temperature)


def test_broken_off_while_it_learns_further_it_goes_on_without_its_teacher(fitted: Fitted, tmp_path: Path) -> None:
    saves = 0

    def dying(state: State, path: Path, *, key: str) -> None:
        nonlocal saves
        save(state, path, key=key)
        saves += path.parent.name == "pruned"
        if saves == 3:
            raise KeyboardInterrupt

    with mock.patch.object(loop, "save", dying), pytest.raises(KeyboardInterrupt):
        run(tmp_path, recipe())
    with mock.patch.object(encoder_stage, "distillation_targets", side_effect=AssertionError):
        assert torch.equal(weights(run(tmp_path, recipe())), weights(fitted))


def test_further_steps_change_the_network(fitted: Fitted, tmp_path: Path) -> None:
    longer = run(tmp_path, recipe(prune=msgspec.structs.replace(HALF, steps=9)))
    assert not torch.equal(weights(longer), weights(fitted))


def test_the_saved_network_names_its_widths_and_is_read_again(tmp_path: Path) -> None:
    plans = recipe()
    fold = task_folds(TASK, plans.data, seed=plans.seed)[0]
    scores = NetworkMethod(TASK, INPUTS, plans, teacher_inputs=OTHERS).fold(fold, tmp_path)
    assert scores.scores["tile"].shape == (len(fold.test), len(TASK.classes))
    read = TrainedModel.load(tmp_path / "model")
    assert read.card.encoder == pruned_config(MOBILE, keep=0.5, multiple=2) != MOBILE
    assert read.card.recipe["prune"]["keep"] == 0.5
    with torch.no_grad():
        assert read.recogniser()(torch.zeros(1, 16000)).scores.shape == (1, 3)


def test_the_further_training_takes_the_other_keys_of_the_first_stage() -> None:
    learning = recipe().learning
    found = pruning_plan(HALF, learning)
    assert (found.optimiser.steps, found.optimiser.learning_rate) == (6, 0.01)
    assert (found.loss, found.optimiser.batch) == (learning.loss, learning.optimiser.batch)


@pytest.mark.parametrize("keep", [0.0, 1.5, float("nan")])
def test_a_share_out_of_range_is_named(keep: float) -> None:
    problems = network_problems(recipe(prune=msgspec.structs.replace(HALF, keep=keep)))
    assert problems[0] == f"prune.keep is {keep}, expected more than 0 and at most 1"


def test_an_encoder_without_layers_to_prune_is_named(tmp_path: Path) -> None:
    frozen = small_encoders(write_whisper(tmp_path))["whisper"]
    assert network_problems(recipe(encoder=frozen))[0] == (
        "prune is set, but the encoder 'whisper' has no layers to prune, expected mobile or hybrid; leave [prune] out"
    )


def test_a_teacher_is_not_pruned() -> None:
    pruned = Teacher(recipe=small_recipe(name="teacher", prune=HALF))
    assert "teacher.recipe has the table prune, expected none" in network_problems(recipe(teacher=pruned))
