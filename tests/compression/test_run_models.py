"""Quantisation-aware training of a run's network, and the INT8 file that is written from its scales."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from emovox import load
from emovox.compression.calibration import calibration_tiles
from emovox.compression.folding import folded
from emovox.compression.int8 import quantise
from emovox.compression.learnt import LearntModel, overrides
from emovox.compression.quantisation import TARGETS
from emovox.compression.run_models import learnt_network, training_clips, training_paths
from emovox.export.network import export_trained
from emovox.models.fake_quantisation import WEIGHT_LEVELS
from emovox.models.trained import TrainedModel
from emovox.runtime.registry import read_card, resolve
from emovox.schema.errors import CompressionError, RecipeError
from emovox.testing import write_voices
from emovox.training.quantisation import is_made_from
from emovox.training.run_folder import QUANTISED, model_folder
from tests.commands import status_of as status
from tests.graphs import zero_points

pytestmark = pytest.mark.slow
"""A run is trained first; test_learnt.py has the same for a network that has not learnt."""

RECIPE = """
kind = "network"
export = true
data = {{ corpora = ["{voices}"], protocol = "si", name = "mine" }}
encoder = {{ name = "mobile", width = 8, blocks = 2, expansion = 2, features = 8, frames = {{ f0 = false }} }}
head = {{ hidden = 8 }}
quantise = {{ steps = 4, batch = 2, clips = 12 }}
[learning]
optimiser = {{ steps = 4, batch = 8 }}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("run")
    voices = write_voices(folder / "voices", labels=("sad", "happy"), speakers=2, takes=5, seconds=1.5)
    (folder / "small.toml").write_text(RECIPE.format(voices=voices), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOVOX_CACHE", str(folder / "cache"))
        assert status("train", str(folder / "small.toml"), "--output", str(folder / "small"), "--workers", "1") == 0
        yield folder / "small"


def test_the_stage_keeps_the_network_and_adds_its_copy_for_int8(run: Path) -> None:
    float32, int8 = (TrainedModel.load(model_folder(run).with_name(name)) for name in ("model", QUANTISED))
    assert float32.card.recipe == int8.card.recipe
    assert (run / "folds" / "1" / QUANTISED / "network.json").is_file()
    weights = [one.network.encoder.state_dict()["last.conv.weight"] for one in (float32, int8)]
    assert not torch.equal(*weights)
    heads = [list(one.network.head.parameters()) for one in (float32, int8)]
    assert all(torch.equal(one, other) for one, other in zip(*heads, strict=True))


def test_a_copy_of_an_earlier_network_is_not_used(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    trained = TrainedModel.load(model_folder(again))
    assert is_made_from(model_folder(again).with_name(QUANTISED), model_folder(again))
    with torch.no_grad():
        next(trained.network.head.parameters()).mul_(2)
    trained.save(model_folder(again))
    assert not is_made_from(model_folder(again).with_name(QUANTISED), model_folder(again))
    learnt = learnt_network(again).model.network.head
    assert torch.equal(next(learnt.parameters()), next(trained.network.head.parameters()))
    assert is_made_from(model_folder(again).with_name(QUANTISED), model_folder(again))


def test_the_file_has_the_learnt_scales_and_weights(run: Path, tmp_path: Path) -> None:
    learnt, path = learnt_network(run), resolve(str(run))
    tiles = calibration_tiles(training_paths(run, clips=12, seed=0), read_card(path))
    made = quantise(path, tiles, tmp_path / "small.onnx", learnt=learnt)
    assert made.card.quantisation is not None
    assert made.card.quantisation.method == "trained"
    assert sum(made.card.quantisation.operators.values()) == len(learnt.ranges)
    arrays = {one.name: numpy_helper.to_array(one) for one in onnx.load(made.path).graph.initializer}
    steps = [one.steps.numpy() for one in learnt.ranges.values()]
    kept = [array for array in arrays.values() if any(np.array_equal(array, step) for step in steps)]
    assert len(kept) == len(steps)
    levels = [array for array in arrays.values() if array.dtype == np.int8 and array.ndim >= 3]
    assert max(int(np.abs(one.astype(int)).max()) for one in levels) == WEIGHT_LEVELS
    tensorrt = quantise(path, tiles, tmp_path / "rt.onnx", target="tensorrt", learnt=learnt)
    assert zero_points(onnx.load(tensorrt.path)) == {0}


def test_a_graph_of_another_network_is_refused(run: Path, tmp_path: Path) -> None:
    other = folded(resolve(str(run)).with_suffix(".onnx").read_bytes())
    with pytest.raises(CompressionError, match="has weights of no trained module; train its quantisation again"):
        overrides(learnt_network(run), other, TARGETS["cpu"])
    same = learnt_network(run)
    proto = folded(export_trained(same.model, {}, tmp_path).read_bytes())
    assert len(overrides(LearntModel(same.model, same.ranges), proto, TARGETS["cpu"])) > 2 * len(same.ranges)


def test_the_command_trains_and_writes(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "mine.onnx"
    assert status("compress", "quantize", str(run), "--train", "--output", str(output)) == 0
    assert "QLinearConv" in capsys.readouterr().out
    assert load(str(output)).card.name == "mine"


def test_what_has_nothing_to_train_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RecipeError, match="not the folder of a run"):
        learnt_network(tmp_path)
    (tmp_path / "recipe.json").write_text(json.dumps({"kind": "svm"}), encoding="utf-8")
    with pytest.raises(RecipeError, match="of kind 'svm', which has no layers to quantise, expected kind 'network'"):
        learnt_network(tmp_path)
    (tmp_path / "recipe.json").write_bytes((run / "recipe.json").read_bytes())
    with pytest.raises(CompressionError, match=r"has no trained network, expected .*network.json; set export = true"):
        learnt_network(tmp_path)
    with pytest.raises(CompressionError, match="got fold 7, expected 1 to 2"):
        training_clips(run, 7)
    assert status("compress", "quantize", "mobile", "--output", str(tmp_path / "a.onnx")) == 1
    assert "calibration data: got none for 'mobile'" in capsys.readouterr().err
