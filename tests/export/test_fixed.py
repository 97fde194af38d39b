"""`emovox export --to onnx`: graphs of fixed shapes, and trained networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from emovox.export.fixed import speech_source
from emovox.export.fixed_onnx import fixed_file, write
from emovox.export.source import model_file
from emovox.models.trained import NetworkCard, TrainedModel
from emovox.runtime.golden import golden_input
from emovox.runtime.model import Model
from emovox.runtime.registry import resolve
from emovox.schema.errors import ExportError, WeightsError
from emovox.schema.labels import merge_matrix
from tests.commands import command
from tests.models.small import CLASSES, MOBILE, small_network


@pytest.mark.parametrize("seconds", [0.3, pytest.param(4.5, marks=pytest.mark.slow)])
def test_a_fixed_graph_has_one_input_constant_shapes_and_the_same_scores(seconds: float, tmp_path: Path) -> None:
    made = fixed_file(resolve("mobile"), tmp_path / "fixed.onnx", seconds=seconds)
    write(made)
    session = onnxruntime.InferenceSession(made.path, providers=["CPUExecutionProvider"])
    n = round(16000 * seconds)
    assert [(one.name, one.shape) for one in session.get_inputs()] == [("samples", [1, n])]
    assert [(one.name, one.shape) for one in session.get_outputs()] == [("scores", [1, 7])]
    assert not session.get_overridable_initializers()
    samples = golden_input(seconds=seconds, sample_rate=16000)[None]
    expected = Model.load(resolve("mobile")).run(samples).scores
    np.testing.assert_allclose(session.run(None, {"samples": samples})[0], expected, atol=1e-5)
    shapes = [value.type.tensor_type.shape.dim for value in onnx.load(made.path).graph.value_info]
    assert all(size.HasField("dim_value") for shape in shapes for size in shape)


def test_what_cannot_be_fixed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"seconds is 0\.1, model 'mobile' takes 0\.3 to 30 seconds"):
        fixed_file(resolve("mobile"), tmp_path / "fixed.onnx", seconds=0.1)
    with pytest.raises(ExportError, match=r"expected NAME\.onnx"):
        fixed_file(resolve("mobile"), tmp_path / "fixed.bin")
    with pytest.raises(ExportError, match="'permissive' is a head alone"):
        fixed_file(resolve("permissive"), tmp_path / "fixed.onnx")


def test_speech_is_computed_from_one_tensor() -> None:
    proto = onnx.load(resolve("mobile").with_suffix(".onnx"))
    assert speech_source(proto).startswith("/encoder/front_end/")
    for node in proto.graph.node:
        node.output[:] = ["told" if name == "speech" else name for name in node.output]
    inner = next(node.output[0] for node in proto.graph.node if node.output[0].startswith("/encoder/front_end/"))
    proto.graph.node.append(helper.make_node("Add", ["told", inner], ["speech"]))
    with pytest.raises(ExportError, match=r"'speech' is computed from \['/enc.*, '/enc.*'\], expected one tensor"):
        speech_source(proto)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    card = NetworkCard(
        name="moods",
        recipe={},
        recipe_sha256="0" * 64,
        encoder=MOBILE,
        classes=CLASSES,
        labels=CLASSES,
        merge=tuple(map(tuple, merge_matrix(CLASSES, CLASSES))),
        temperature=1.2,
        adaptable=True,
        corpora=(),
        fold=2,
    )
    return TrainedModel(small_network(MOBILE), card).save(tmp_path_factory.mktemp("trained"))


def test_a_trained_network_becomes_a_model(trained: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    output = tmp_path / "mine.onnx"
    command("export", str(trained), "--to", "onnx", "--output", str(output))
    report = capsys.readouterr().out
    for length in ("0.3 s", "1 s", "3 s", "4.5 s", "10 s"):
        assert f"largest difference, {length}" in report
    assert "opset 17: " in report
    model = Model.load(output)
    assert model.card.name == "mine"
    assert model.card.figures == ()


def test_a_trained_network_is_a_model_file_meanwhile(trained: Path) -> None:
    with model_file(str(trained)) as path:
        assert Model.load(path).card.labels == TrainedModel.load(trained).card.labels
    assert not path.exists()
    with model_file("mobile") as path:
        assert path == resolve("mobile")


def test_a_damaged_network_and_a_file_for_any_length_are_refused(
    trained: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "network.json").write_bytes((trained / "network.json").read_bytes())
    with pytest.raises(WeightsError, match="cannot be read"), model_file(str(tmp_path)):
        pass
    command("export", "mobile", "--to", "onnx", status=1)
    assert "is an ONNX file for any length already" in capsys.readouterr().err
