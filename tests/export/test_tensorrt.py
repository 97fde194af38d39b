"""What TensorRT lists, what it does not, and the files that are written for it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
from onnx import TensorProto, helper, numpy_helper, shape_inference

from emovox.compression.calibration import calibration_paths, calibration_tiles
from emovox.compression.int8 import quantise
from emovox.export.fixed_onnx import fixed_file
from emovox.export.tensorrt import check, support, write_script
from emovox.runtime.registry import read_card, resolve
from emovox.schema.errors import ExportError
from emovox.testing import speech, write_toy
from tests.commands import command

HERE = Path("case.onnx")


def graph(*nodes: Any, shape: Sequence[int] = (1, 2, 8), opset: int = 17, **constants: Any) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    arrays = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    made = helper.make_graph(list(nodes), "case", [x], [y], arrays)
    return shape_inference.infer_shapes(helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)]))


def quantised(zero: Any) -> onnx.ModelProto:
    nodes = (
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    )
    return graph(*nodes, scale=np.float32(0.1), zero=zero)


@pytest.mark.parametrize("name", ["mobile", pytest.param("hybrid", marks=pytest.mark.slow)])
def test_all_of_a_shipped_model_is_listed(name: str, tmp_path: Path) -> None:
    made = fixed_file(resolve(name), tmp_path / "fixed.onnx")
    check(made.proto, where=made.path)
    assert max(made.differences.values()) < 1e-5
    assert support().version == "10.15"
    assert made.operators["Conv"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["accurate", "svm"])
def test_all_of_a_large_model_is_listed(name: str, tmp_path: Path) -> None:
    check(fixed_file(resolve(name), tmp_path / "fixed.onnx").proto, where=HERE)


@pytest.mark.slow
def test_all_of_an_int8_model_is_listed(tmp_path: Path) -> None:
    for number in range(8):
        samples = speech(120.0 + 20 * number, seconds=3.0, level=0.2, glide=0.1, seed=number)
        soundfile.write(tmp_path / f"{number}.wav", samples, 16000)
    path = resolve("mobile")
    tiles = calibration_tiles(calibration_paths(str(tmp_path)), read_card(path))
    made = quantise(path, tiles, tmp_path / "small.onnx", target="tensorrt")
    fixed = fixed_file(made.path, tmp_path / "fixed.onnx")
    check(fixed.proto, where=made.path)
    assert fixed.operators["QuantizeLinear"] > 30
    cpu = quantise(path, tiles, tmp_path / "cpu.onnx")
    with pytest.raises(
        ExportError, match=r"operator DequantizeLinear of layer .* with (INT32|another type|a zero point)"
    ):
        check(fixed_file(cpu.path, tmp_path / "fixed.onnx").proto, where=cpu.path)


def test_what_is_not_listed_is_named_with_its_layer() -> None:
    axes = np.array([1], np.int64)
    refused = {
        "does not list operator Det of layer 'volume'; take a model without it": graph(
            helper.make_node("Det", ["x"], ["y"], name="volume"), shape=(2, 2)
        ),
        "operator AveragePool of layer 'y' with 1 axes": graph(
            helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[2])
        ),
        "operator Log of layer 'y' with INT32": graph(
            helper.make_node("Cast", ["x"], ["whole"], to=TensorProto.INT32), helper.make_node("Log", ["whole"], ["y"])
        ),
        "operator Cast of layer 'wide' with another type": graph(
            helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.DOUBLE),
            helper.make_node("Cast", ["wide"], ["y"], to=TensorProto.FLOAT),
        ),
        "operator ReduceSum of layer 'y' with computed axes": graph(
            helper.make_node("Identity", ["axes"], ["same"]),
            helper.make_node("ReduceSum", ["x", "same"], ["y"]),
            axes=axes,
        ),
        "operator QuantizeLinear of layer 'q' with a zero point that is not 0": quantised(np.int8(3)),
        "operator QuantizeLinear of layer 'q' with a zero point that is not of 8 signed bits": quantised(np.uint8(0)),
        "operator TopK of layer 'y' with k of 3840 or more": graph(
            helper.make_node("TopK", ["x", "k"], ["y", "places"]), shape=(5000,), k=np.array([4000], np.int64)
        ),
        "operator LSTM of layer 'y' with layout": graph(
            helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=1, layout=1),
            w=np.zeros((1, 4, 8), np.float32),
            r=np.zeros((1, 4, 1), np.float32),
        ),
        "opset is 8, TensorRT 10.15 lists 9 to 24": graph(helper.make_node("Abs", ["x"], ["y"]), opset=8),
    }
    for message, proto in refused.items():
        with pytest.raises(ExportError, match=message):
            check(proto, where=HERE)
    check(quantised(np.int8(0)), where=HERE)


def test_the_script_is_a_shell_script_for_trtexec(tmp_path: Path) -> None:
    float_script = write_script(tmp_path / "mine.onnx", int8=False)
    assert subprocess.run(["sh", "-n", float_script], check=False).returncode == 0
    assert "--onnx=mine.onnx --saveEngine=mine.engine --fp16 " in float_script.read_text()
    assert "--fp16 --int8" in write_script(tmp_path / "mine.onnx", int8=True).read_text()


def test_the_command_writes_graph_and_script(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    output, toy = tmp_path / "robot.onnx", write_toy(tmp_path, labels=("low", "high"))
    command("export", str(toy), "--to", "tensorrt", "--seconds", "1", "--output", str(output))
    report = capsys.readouterr().out
    assert "all is listed for 10.15" in report
    assert "samples [1, 16000]" in report
    proto = onnx.load(output)
    assert {entry.key: entry.value for entry in proto.metadata_props}["labels"] == "low,high"
    assert output.with_suffix(".trtexec.sh").is_file()
