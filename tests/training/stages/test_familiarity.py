"""Familiarity is measured from training clips alone, and reaches the card of the exported model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import msgspec
import numpy as np
import pytest

from emovox.adaptation.familiarity import Familiarity
from emovox.export.network import export_trained
from emovox.models.trained import TrainedModel
from emovox.runtime.model import Model
from emovox.training import loop
from emovox.training.data.inputs import Inputs
from emovox.training.data.task import Task
from emovox.training.network import STAGES, NetworkMethod
from emovox.training.recipe import Data
from emovox.training.stages.stage import Context, Fitted, run_stages
from tests.training.rows import changed, drawn_inputs, drawn_task, joined, plan, small_recipe

TASK = joined(drawn_task(corpus="one", takes=4), drawn_task(corpus="two", takes=4))
INPUTS = drawn_inputs(TASK)
TEST = [number for number, clip in enumerate(TASK.clips) if clip.speaker == "dee"]
TRAIN = np.setdiff1d(np.arange(len(TASK.clips)), TEST)
RECIPE = small_recipe(data=Data(corpora=("one", "two"), protocol="joint"), learning=plan(4), adaptation=True)


@pytest.fixture(scope="module", autouse=True)
def no_curves() -> Iterator[None]:
    with mock.patch.object(loop, "save_figure"):
        yield


def run(folder: Path, *, task: Task = TASK, inputs: Inputs = INPUTS, **changes: object) -> Fitted:
    recipe = msgspec.structs.replace(RECIPE, **changes)
    train = TRAIN if task is TASK else np.arange(len(task.clips))
    return run_stages(STAGES, Context(task, inputs, recipe, train, folder))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return run(tmp_path_factory.mktemp("fit"))


def test_it_is_measured_on_training_clips_alone(fitted: Fitted, tmp_path: Path) -> None:
    found = fitted.familiarity
    assert found is not None
    assert found.voices == (3, 3)
    assert found.slope >= 0
    assert found == run(tmp_path, inputs=changed(INPUTS, TEST, np.nan)).familiarity


def test_a_corpus_with_two_voices_does_not_count(tmp_path: Path) -> None:
    task = joined(
        drawn_task(corpus="one", takes=4, speakers=["ann", "bob", "cas"]),
        drawn_task(corpus="two", takes=4, speakers=["ann", "bob", "cas"]),
        drawn_task(corpus="three", takes=4, speakers=["ann", "bob"]),
    )
    data = Data(corpora=("one", "two", "three"), protocol="joint")
    found = run(tmp_path, task=task, inputs=drawn_inputs(task), data=data).familiarity
    assert found is not None
    assert len(found.voices) == 2


def test_two_corpora_of_two_voices_are_too_few(tmp_path: Path) -> None:
    task = joined(*(drawn_task(corpus=name, takes=4, speakers=["ann", "bob"]) for name in ("one", "two")))
    again = run(tmp_path, task=task, inputs=drawn_inputs(task))
    assert again.adaptation is not None
    assert again.familiarity is None


def test_without_an_adaptation_it_is_not_measured(tmp_path: Path) -> None:
    assert run(tmp_path, adaptation=False).familiarity is None


def test_the_card_of_the_exported_model_has_it(fitted: Fitted, tmp_path: Path) -> None:
    method = NetworkMethod(TASK, INPUTS, RECIPE)
    card = method._card(TRAIN, fitted, None)
    TrainedModel(fitted.network, card).save(tmp_path / "trained")
    loaded = TrainedModel.load(tmp_path / "trained")
    trust = Model.load(export_trained(loaded, {}, tmp_path)).card.trust
    assert trust is not None
    assert trust.familiarity is not None
    assert trust.familiarity == fitted.familiarity
    statistics = np.zeros((1, fitted.network.encoder.n_statistics), np.float32)
    assert np.isfinite(Familiarity.from_card(trust.familiarity).project(statistics)).all()
