"""INT8: what runs in integers, what stays as it was, and what is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from onnx import numpy_helper

from emovox import load
from emovox.adaptation.profile import Profile
from emovox.compression.calibration import calibration_paths, calibration_tiles
from emovox.compression.int8 import GOLDEN_TOLERANCE, Quantised, quantise
from emovox.compression.operators import operators
from emovox.runtime.golden import check_golden
from emovox.runtime.model import Model
from emovox.runtime.registry import read_card, resolve
from emovox.schema.card import CardQuantisation
from emovox.schema.errors import CompressionError
from emovox.testing import speech
from tests.commands import command
from tests.graphs import zero_points

CLIPS = 10


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(CLIPS):
        samples = speech(120.0 + 20 * number, seconds=3.0, level=0.05 + 0.05 * number, glide=0.1, seed=number)
        soundfile.write(folder / f"{number}.wav", samples, 16000)
    return folder


@pytest.fixture(scope="module")
def made(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Quantised:
    path = resolve("mobile")
    tiles = calibration_tiles(calibration_paths(str(sounds)), read_card(path))
    return quantise(path, tiles, tmp_path_factory.mktemp("int8") / "mine.onnx")


def about(made: Quantised) -> CardQuantisation:
    assert made.card.quantisation is not None
    return made.card.quantisation


def test_every_product_of_the_encoder_runs_in_integers(made: Quantised) -> None:
    encoder = Counter(node.op_type for node in onnx.load(resolve("mobile").with_suffix(".onnx")).graph.node)
    front_end = 4  # convolutions of DFT, deltas and F0
    assert about(made).operators == {"QLinearConv": encoder["Conv"] - front_end}
    assert operators(made.path.read_bytes())["Conv"] == front_end


def test_the_file_is_small_and_its_card_names_what_was_done(made: Quantised) -> None:
    assert made.after == made.path.stat().st_size <= 900_000
    assert made.card.name == "mine"
    assert (about(made).precision, about(made).target, about(made).figures) == ("int8", "cpu", "float32")
    assert about(made).unchanged >= 0.9
    assert made.card.golden.tolerance == GOLDEN_TOLERANCE


def test_the_golden_vector_is_that_of_the_int8_graph(made: Quantised) -> None:
    assert check_golden(Model.load(made.path)) < 1e-5


def test_head_profile_and_data_of_the_card_work_as_before(made: Quantised, sounds: Path) -> None:
    model = Model.load(made.path)
    samples = soundfile.read(sounds / "3.wav", dtype="float32")[0][None]
    outputs = model.run(samples)
    default = model.default_profile
    other = Profile(default.mean + 0.5 * default.scale, 0.5 * default.scale)
    shifted = model.run(samples, [other]).scores
    np.testing.assert_allclose(model.scores(outputs.statistics), outputs.scores, atol=1e-5)
    np.testing.assert_allclose(model.scores(outputs.statistics, [other]), shifted, atol=1e-5)
    np.testing.assert_allclose(model.finish(model.hidden(outputs.statistics, other)), shifted, atol=1e-5)
    assert np.abs(shifted - outputs.scores).max() > 0.01


def test_an_int8_model_adapts_to_a_voice_as_the_float_one(made: Quantised) -> None:
    demo = str(Path(__file__).parents[2] / "examples" / "demo.flac")
    answers = []
    for name in ("mobile", str(made.path)):
        predictor = load(name).for_speaker()
        predictor.learn(demo)
        answers.append(predictor.predict(demo).scores)
    assert answers[0] is not None
    assert answers[1] is not None
    assert max(abs(answers[0][label] - answers[1][label]) for label in answers[0]) < 0.1


def test_the_file_for_tensorrt_has_zero_points_of_zero_and_no_short_integers(sounds: Path, tmp_path: Path) -> None:
    path = resolve("mobile")
    tiles = calibration_tiles(calibration_paths(str(sounds)), read_card(path))
    made = quantise(path, tiles, tmp_path / "rt.onnx", target="tensorrt")
    proto = onnx.load(made.path)
    assert zero_points(proto) == {0}
    assert onnx.TensorProto.INT16 not in {tensor.data_type for tensor in proto.graph.initializer}
    weights = [numpy_helper.to_array(one) for one in proto.graph.initializer if one.name.endswith("_quantized")]
    assert max(int(np.abs(weight.astype(int)).max()) for weight in weights if weight.dtype == np.int8) == 127


def test_what_cannot_be_quantised_is_refused(made: Quantised, sounds: Path, tmp_path: Path) -> None:
    card = read_card(resolve("mobile"))
    tiles = calibration_tiles(calibration_paths(str(sounds)), card)
    with pytest.raises(CompressionError, match="is INT8 already, expected a float32 model"):
        quantise(made.path, tiles, tmp_path / "a.onnx")
    with pytest.raises(CompressionError, match=r"expected a path that ends in NAME\.onnx"):
        quantise(resolve("mobile"), tiles, tmp_path / "a.bin")
    with pytest.raises(CompressionError, match="got 2 tiles of speech in 2 recordings, expected at least 8"):
        calibration_tiles(calibration_paths(str(sounds), clips=2), card)
    with pytest.raises(CompressionError, match=r"calibration data: .* give a folder of recordings"):
        calibration_paths(str(tmp_path / "missing"))
    assert not list(tmp_path.iterdir())


def test_the_command_prints_what_runs_in_integers(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "small.onnx"
    command("compress", "quantize", "mobile", "--calibrate", str(sounds), "--output", str(output))
    assert "34 QLinearConv" in capsys.readouterr().out
    assert load(str(output)).card.name == "small"
