"""Training clips alone teach what is speech; nothing else of a training changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import msgspec
import numpy as np
import pytest
import torch

from emovox.export.network import export_trained
from emovox.models.frame_inputs import FrameInputsConfig
from emovox.models.trained import WEIGHTS, TrainedModel
from emovox.runtime.model import Model
from emovox.schema.errors import RecipeError, WeightsError
from emovox.testing import speech
from emovox.training import loop
from emovox.training.network import STAGES, NetworkMethod
from emovox.training.read import read_document
from emovox.training.recipe import Data
from emovox.training.run import train
from emovox.training.run_folder import model_folder
from emovox.training.speech_material import SpeechMaterial
from emovox.training.speech_sounds import FOLDS
from emovox.training.stages import speech as stage
from emovox.training.stages.stage import Context, Fitted, run_stages
from emovox.workflow import read_recipe
from tests.models.small import MOBILE
from tests.training.pieces import drawn_material, steps
from tests.training.rows import drawn_inputs, drawn_task, plan, small_recipe

TASK = drawn_task(speakers=("ada", "bob", "dee"))
INPUTS = drawn_inputs(TASK)
TEST = [number for number, clip in enumerate(TASK.clips) if clip.speaker == "dee"]
TRAIN = np.setdiff1d(np.arange(len(TASK.clips)), TEST)
RECIPE = small_recipe(learning=plan(2), head_learning=plan(2), speech=True)
FRAMES = msgspec.structs.replace(MOBILE, frames=FrameInputsConfig(n_mels=16, f0=False))


@pytest.fixture(scope="module", autouse=True)
def no_curves() -> Iterator[None]:
    with mock.patch.object(loop, "save_figure"):
        yield


def run(folder: Path, sounds: SpeechMaterial | None = None, **changes: object) -> Fitted:
    recipe = msgspec.structs.replace(RECIPE, **changes)
    inputs = INPUTS if recipe.encoder == MOBILE else drawn_inputs(TASK, width=16 + 39 + 1)
    sounds = sounds or drawn_material(TASK.clips, folder)
    return run_stages(STAGES, Context(TASK, inputs, recipe, TRAIN, folder, sounds=sounds))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return run(tmp_path_factory.mktemp("fit"))


def trained(fitted: Fitted, **changes: object) -> TrainedModel:
    card = NetworkMethod(TASK, INPUTS, msgspec.structs.replace(RECIPE, **changes))._card(TRAIN, fitted, None)
    return TrainedModel(fitted.network, card, None, None if fitted.speech is None else fitted.speech.map)


def test_speech_is_told_from_other_sounds(fitted: Fitted) -> None:
    assert fitted.speech is not None
    assert fitted.speech.about.kept > 0.7  # the threshold follows from few pieces
    assert fitted.speech.about.refused == 1.0
    assert fitted.speech.about.kinds == tuple(sorted(kinds[0] for kinds in FOLDS.values()))


def test_test_speakers_and_held_out_kinds_are_not_looked_at(fitted: Fitted, tmp_path: Path) -> None:
    plain = replace(drawn_material(TASK.clips, tmp_path / "plain"), held=("animals", "air"))
    silence = steps(np.zeros(8000))
    unheard = {f"own/{TASK.clips[number].id}": silence for number in TEST} | {"dog": silence, "fire": silence}
    other = replace(drawn_material(TASK.clips, tmp_path / "other", changed=unheard), held=plain.held)
    first, second = run(tmp_path / "a", plain).speech, run(tmp_path / "b", other).speech
    assert first is not None
    assert second is not None
    assert first.about == second.about
    assert first.about.kinds == ("alarm", "helicopter", "rain")
    assert torch.equal(first.map.weight, second.map.weight)
    assert fitted.speech is not None
    assert not torch.equal(first.map.weight, fitted.speech.map.weight)


def test_the_exported_model_tells_speech_and_scores_as_before(fitted: Fitted, tmp_path: Path) -> None:
    loaded = TrainedModel.load(trained(fitted).save(tmp_path / "trained"))
    model = Model.load(export_trained(loaded, {}, tmp_path / "new"))
    noise = 0.1 * np.random.default_rng(5).normal(size=16000)
    batch = np.stack([speech(150.0, seconds=1.0), noise]).astype(np.float32)
    found = model.run(batch)
    assert found.speech is not None
    assert (found.speech > 0.5).tolist() == [True, False]
    assert model.card.speech is not None
    assert fitted.speech is not None
    assert (model.card.speech.kept, model.card.speech.refused) == (fitted.speech.about.kept, 1.0)
    np.testing.assert_allclose(found.scores, loaded.recogniser()(torch.from_numpy(batch)).scores.detach(), atol=5e-3)


def test_the_map_of_a_small_network_takes_frames(tmp_path: Path) -> None:
    found = run(tmp_path, encoder=FRAMES)
    assert found.speech is not None
    assert found.speech.map.pooling is not None
    loaded = TrainedModel.load(trained(found, encoder=FRAMES).save(tmp_path / "trained"))
    sounds = drawn_material(TASK.clips, tmp_path)
    batch = (np.stack([sounds.waves()[row] for row in (0, -1)]) / 32767).astype(np.float32)
    made = Model.load(export_trained(loaded, {}, tmp_path / "new")).run(batch)
    assert made.speech is not None
    assert (made.speech > 0.5).tolist() == [True, False]


def test_a_map_that_does_not_fit_is_refused(fitted: Fitted, tmp_path: Path) -> None:
    made = trained(fitted)
    assert made.speech is not None
    made.speech.weight = made.speech.weight[:-1]
    with pytest.raises(WeightsError, match=r"network\.safetensors: its map to speech cannot be read"):
        TrainedModel.load(made.save(tmp_path))
    lost = TrainedModel(made.network, made.card)
    with pytest.raises(WeightsError, match=f"{WEIGHTS}: its map to speech cannot be read"):
        TrainedModel.load(lost.save(tmp_path))


def test_files_without_a_map_load_as_before(fitted: Fitted, tmp_path: Path) -> None:
    old = TrainedModel(
        fitted.network, NetworkMethod(TASK, INPUTS, RECIPE)._card(TRAIN, replace(fitted, speech=None), 1)
    )
    about = json.loads((old.save(tmp_path) / "network.json").read_bytes())
    del about["speech"]  # as an earlier version wrote it
    (tmp_path / "network.json").write_text(json.dumps(about), encoding="utf-8")
    assert TrainedModel.load(tmp_path).speech is None


def test_a_finished_training_learns_it_afterwards_once(tmp_path: Path) -> None:
    sounds, plain = drawn_material(TASK.clips, tmp_path / "cache"), msgspec.structs.replace(RECIPE, speech=False)
    first = train(TASK, plain, tmp_path / "run", NetworkMethod(TASK, INPUTS, plain))
    log = (tmp_path / "run/folds/1/head/log.csv").read_bytes()
    method = NetworkMethod(TASK, INPUTS, RECIPE, sounds=sounds)
    second = train(TASK, RECIPE, tmp_path / "run", method, resume=True)
    assert (tmp_path / "run/folds/1/head/log.csv").read_bytes() == log
    for key, made in first.predictions.items():
        np.testing.assert_array_equal(second.predictions[key].scores, made.scores)
    learnt = [TrainedModel.load(model_folder(tmp_path / "run", fold)).card.speech for fold in (1, 2, 3)]
    missing = [{kinds[0] for kinds in FOLDS.values()} - set(one.kinds) for one in learnt if one is not None]
    assert missing == [{"dog", "alarm"}, {"rain", "fire"}, {"helicopter"}]
    with mock.patch.object(stage, "learn_speech", side_effect=AssertionError):
        train(TASK, RECIPE, tmp_path / "run", method, resume=True)


def test_the_hash_of_a_recipe_does_not_depend_on_it() -> None:
    assert small_recipe(speech=True).sha256() == small_recipe().sha256()


def test_a_teacher_learns_none(tmp_path: Path) -> None:
    (tmp_path / "teacher.toml").write_text('kind = "network"\nspeech = true\n[encoder]\nname = "mobile"\n')
    path = tmp_path / "own.toml"
    path.write_text('kind = "network"\n[data]\nprotocol = "si"\n[teacher]\nrecipe = "teacher.toml"\n')
    assert read_document(path)["teacher"]["recipe"]["speech"] is False


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_a_missing_folder_of_noises_is_refused_at_once(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOVOX_NOISE", folder)
    expected = rf"speech is true, but \$EMOVOX_NOISE is {folder or 'not set'}, expected a folder of noises"
    with pytest.raises(RecipeError, match=expected):
        NetworkMethod.prepared(TASK, RECIPE, folder=tmp_path)


def test_a_single_speaker_is_too_few(tmp_path: Path) -> None:
    task = drawn_task(speakers=["ann"])
    sounds = drawn_material(task.clips, tmp_path)
    recipe = msgspec.structs.replace(RECIPE, learning=plan(1), data=Data(corpora=("own",), protocol="sd"))
    context = Context(task, drawn_inputs(task), recipe, np.arange(len(task.clips)), tmp_path, sounds=sounds)
    with pytest.raises(RecipeError, match="learnt from 0 pieces of speech and 15 of other sounds, expected both"):
        run_stages(STAGES, context)


def test_without_speakers_each_clip_is_one(tmp_path: Path) -> None:
    task = drawn_task(speakers=[None])
    sounds = drawn_material(task.clips, tmp_path)
    context = Context(task, drawn_inputs(task), RECIPE, np.arange(len(task.clips)), tmp_path, sounds=sounds)
    found = dict(stage.learnt_pieces(context, sounds))
    assert {note.fold for note in found.values() if note.is_speech} == set(FOLDS)


@pytest.mark.parametrize("name", ["accurate", "mobile", "hybrid"])
def test_the_models_of_the_project_learn_it(name: str) -> None:
    recipe = read_recipe(Path(__file__).parents[3] / "recipes" / f"{name}.toml")
    assert recipe.learns_speech
