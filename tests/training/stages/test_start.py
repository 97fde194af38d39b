"""A network starts from the weights of a pretraining, of the same encoder over the same frozen half, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from emovox.corpora.registry import index
from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.head import HeadConfig
from emovox.models.network import Encoder
from emovox.schema.card import CardCorpus
from emovox.schema.errors import CheckpointError, RecipeError, WeightsError
from emovox.training import loop
from emovox.training.checkpoint import Weights, learnt_weights
from emovox.training.data.inputs import Inputs, make_inputs
from emovox.training.data.task import Task
from emovox.training.network import STAGES, NetworkMethod
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.plan import Optimiser, Plan
from emovox.training.pretraining import speaker_task
from emovox.training.recipe import Data
from emovox.training.stages import stage as fitting
from emovox.training.stages.stage import Context, run_stages
from emovox.training.stages.start import Start, encoder_bytes, read_start, starting_encoder, write_start
from tests.models.small import HYBRID, MOBILE, whisper, write_whisper
from tests.sounds import write_voxceleb


def drawn(config: EncoderConfig, seed: int = 5) -> Encoder:
    """An encoder whose every weight, and running statistic, is drawn."""
    encoder = build_encoder(config)
    generator = torch.Generator().manual_seed(seed)
    for value in learnt_weights(encoder).values():
        if value.is_floating_point():
            value.detach().copy_(0.1 + torch.rand(value.shape, generator=generator))
    return encoder


def write(folder: Path, config: EncoderConfig = MOBILE, seed: int = 5) -> Weights:
    """Write a pretraining of drawn weights, and return them."""
    encoder = drawn(config, seed)
    data = encoder_bytes(encoder)
    about = Start(
        recipe="voices",
        recipe_sha256="0" * 64,
        weights_sha256=hashlib.sha256(data).hexdigest(),
        encoder=config,
        inputs_key=encoder.inputs_key,
        corpora=(CardCorpus("voxceleb", "", 4, 8),),
        speakers=4,
        clips=8,
        held_out_clips=4,
        accuracy=75.0,
        uar=75.0,
        chance=25.0,
    )
    assert write_start(folder, data, about) == folder / "encoder.safetensors"
    assert read_start(str(folder)) == about
    return learnt_weights(encoder)


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("named", ["", "encoder.safetensors"])
def test_the_encoder_has_the_weights_and_without_a_start_its_own(named: str, tmp_path: Path) -> None:
    weights = write(tmp_path)
    assert same(learnt_weights(starting_encoder(MOBILE, str(tmp_path / named))), weights)
    assert not same(learnt_weights(starting_encoder(MOBILE)), weights)


def test_frozen_weights_stay_where_they_came_from(tmp_path: Path) -> None:
    config = whisper(write_whisper(tmp_path / "weights"), learning=True)
    weights = write(tmp_path / "run", config)
    encoder = starting_encoder(config, str(tmp_path / "run"))
    assert same(learnt_weights(encoder), weights)
    assert not [name for name in weights if name.startswith(("whisper.conv", "whisper.layers.0."))]
    samples = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(encoder.inputs(samples), build_encoder(config).inputs(samples))
    write_whisper(tmp_path / "weights", seed=1)
    with pytest.raises(WeightsError, match=r"learnt from 'whisper .*', but the frozen half now gives 'whisper "):
        starting_encoder(config, str(tmp_path / "run"))


def test_weights_of_another_encoder_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(WeightsError, match=r'got weights of the encoder .*"mobile".*"width":8.*, expected .*"hybrid"'):
        starting_encoder(HYBRID, str(tmp_path))
    with pytest.raises(WeightsError, match=r'"width":8.* expected .*"width":16'):
        starting_encoder(replace(MOBILE, width=16), str(tmp_path))


def test_what_is_no_pretraining_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"start is '.*none'.*cannot be read .*run folder of a finished pretraining"):
        starting_encoder(MOBILE, str(tmp_path / "none"))
    write(tmp_path)
    weights, about = tmp_path / "encoder.safetensors", tmp_path / "encoder.json"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"is not the file that encoder\.json beside it describes"):
        starting_encoder(MOBILE, str(tmp_path))
    weights.unlink()
    with pytest.raises(WeightsError, match=r"encoder\.safetensors: cannot be used .*No such file"):
        starting_encoder(MOBILE, str(tmp_path))
    about.write_text("{}", encoding="utf-8")
    with pytest.raises(WeightsError, match=r"encoder\.json: has no pretraining"):
        starting_encoder(MOBILE, str(tmp_path))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, Inputs]:
    folder = tmp_path_factory.mktemp("data")
    task = speaker_task(index("voxceleb", write_voxceleb(folder, speakers=2, clips=1)))
    return task, make_inputs(task.clips, MOBILE, copies={}, augment=recipe().augment, seed=0, folder=folder, workers=1)


def recipe(**changes: Any) -> NetworkRecipe:
    made = NetworkRecipe(
        name="from-voices",
        data=Data(corpora=("own.jsonl",), protocol="sd"),
        encoder=MOBILE,
        head=HeadConfig(hidden=4),
        learning=Plan(optimiser=Optimiser(steps=2, batch=4)),
    )
    return replace(made, **changes)


def began_with(data: tuple[Task, Inputs], recipe: NetworkRecipe, folder: Path) -> Weights:
    """Fit, and return the weights that the encoder had before its first step."""
    found: list[Weights] = []

    def watched(network: Any, *arguments: Any, **named: Any) -> object:
        found.append({name: value.detach().clone() for name, value in learnt_weights(network.encoder).items()})
        return loop.learn(network, *arguments, **named)

    task, inputs = data
    with mock.patch.object(fitting, "learn", watched):
        run_stages(STAGES, Context(task, inputs, recipe, np.arange(len(task.clips)), folder))
    return found[0]


def test_a_fit_begins_there_and_goes_on_from_no_other(data: tuple[Task, Inputs], tmp_path: Path) -> None:
    source = tmp_path / "voices"
    weights = write(source)
    assert same(began_with(data, recipe(start=str(source)), tmp_path / "with"), weights)
    assert not same(began_with(data, recipe(), tmp_path / "without"), weights)
    write(source, seed=6)
    with pytest.raises(CheckpointError, match="another recipe"):
        began_with(data, recipe(start=str(source)), tmp_path / "with")


def prepare(task: Task, recipe: NetworkRecipe, folder: Path) -> NetworkMethod:
    return NetworkMethod.prepared(task, recipe, folder=folder, workers=1)


def test_slips_are_found_before_any_inputs_are_computed(data: tuple[Task, Inputs], tmp_path: Path) -> None:
    write(tmp_path / "voices")
    task, cache = data[0], tmp_path / "cache"
    started = recipe(start=str(tmp_path / "voices"))
    with pytest.raises(RecipeError, match="pretrained on voxceleb: the encoder would know the voices that are tested"):
        prepare(task, started, cache)
    with pytest.raises(WeightsError, match="got weights of the encoder"):
        prepare(task, replace(started, encoder=HYBRID), cache)
    assert not cache.exists()
    assert len(prepare(own(task), started, cache).inputs.owner)


def own(task: Task) -> Task:
    """The same clips under another corpus."""
    clips: Sequence[Any] = [replace(clip, corpus="own") for clip in task.clips]
    return Task(tuple(clips), task.classes, task.labels, task.allowed)
