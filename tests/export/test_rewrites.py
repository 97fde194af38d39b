"""Rewrites of a graph: other layout, other storage, same values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from emovox.export.onnx import CHANNELS, fill_blocks, fix_widths, store_halves

Array = npt.NDArray[np.float32]


def graph_of(nodes: list[Any], weights: dict[str, Array], channels: int, outputs: list[str]) -> Any:
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", "c", 1, f"t {name}"]) for name in outputs]
    data = helper.make_tensor_value_info("data", TensorProto.FLOAT, ["b", channels, 1, "t"])
    stored = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "small", [data], shapes, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def convolution(output: str, weight: str, data: str = "data", **attributes: Any) -> Any:
    return helper.make_node("Conv", [data, weight], [output], **attributes)


def run(proto: Any, data: Array) -> list[Array]:
    onnx.checker.check_model(proto)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[Array] = session.run(None, {"data": data})
    return found


def weight_of(proto: Any, name: str) -> Array:
    return numpy_helper.to_array(next(one for one in proto.graph.initializer if one.name == name))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def test_two_convolutions_of_one_input_share_its_zeros(rng: np.random.Generator) -> None:
    weights = {"wide": normal(rng, 8, 21, 1, 5), "narrow": normal(rng, 4, 21, 1, 1)}
    nodes = [convolution("first", "wide", strides=[1, 2]), convolution("second", "narrow")]
    proto = graph_of(nodes, weights, 21, ["first", "second"])
    data = normal(rng, 2, 21, 1, 30)
    expected = run(proto, data)
    fill_blocks(proto)
    assert [node.op_type for node in proto.graph.node] == ["Pad", "Conv", "Conv"]
    for name, values in weights.items():
        filled = weight_of(proto, name)
        assert filled.shape[1] == 2 * CHANNELS
        assert np.array_equal(filled[:, :21], values)
        assert not filled[:, 21:].any()
    for found, wanted in zip(run(proto, data), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "group"),
    [((4, 32, 1, 3), 1), ((20, 1, 1, 3), 20), ((4, 9, 1, 3), 1), ((4, 21, 3), 1)],
    ids=["whole blocks", "depthwise", "less than a block", "a sequence"],
)
def test_other_convolutions_stay_as_they_are(rng: np.random.Generator, shape: tuple[int, ...], group: int) -> None:
    proto = graph_of([convolution("found", "w", group=group)], {"w": normal(rng, *shape)}, shape[1] * group, ["found"])
    before = proto.SerializeToString()
    fill_blocks(proto)
    assert proto.SerializeToString() == before


def test_a_kernel_that_is_computed_is_left_alone(rng: np.random.Generator) -> None:
    nodes = [helper.make_node("Neg", ["w"], ["minus"]), convolution("found", "minus")]
    proto = graph_of(nodes, {"w": normal(rng, 4, 21, 1, 3)}, 21, ["found"])
    before = proto.SerializeToString()
    fill_blocks(proto)
    assert proto.SerializeToString() == before


def test_only_what_half_precision_holds_is_halved(rng: np.random.Generator) -> None:
    held = normal(rng, 64, 32, 1, 1).astype(np.float16).astype(np.float32)
    weights = {"held": held, "finer": held * np.float32(1 + 2**-20), "large": held * 1e6, "few": held[:2]}
    proto = graph_of([convolution(f"by {name}", name) for name in weights], weights, 32, [f"by {n}" for n in weights])
    data = normal(rng, 1, 32, 1, 4)
    expected = run(proto, data)
    store_halves(proto)
    types = {one.name: one.data_type for one in proto.graph.initializer}
    assert types == {
        "held.half": TensorProto.FLOAT16,
        "finer": TensorProto.FLOAT,
        "large": TensorProto.FLOAT,
        "few": TensorProto.FLOAT,
    }
    for found, wanted in zip(run(proto, data), expected, strict=True):
        assert np.array_equal(found, wanted)


def test_widths_of_named_outputs_are_stated() -> None:
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", None]) for name in ("scores", "other")]
    proto = helper.make_model(helper.make_graph([], "small", [], outputs))
    fix_widths(proto, {"scores": 9})
    assert [output.type.tensor_type.shape.dim[1].dim_value for output in proto.graph.output] == [9, 0]
