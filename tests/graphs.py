"""Graphs that anybody could send, and what is in a quantised one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx

from emovox.testing import change_card


def replace_graph(path: Path, graph: bytes) -> None:
    """Put another graph beside the card, with a hash that fits."""
    path.with_suffix(".onnx").write_bytes(graph)
    change_card(path, sha256=hashlib.sha256(graph).hexdigest())


def endless(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The graph, with a loop of 2^62 turns before its scores."""
    helper, bool_, int_ = onnx.helper, onnx.TensorProto.BOOL, onnx.TensorProto.INT64
    floats = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("x", "same_x")]
    go = [helper.make_tensor_value_info(name, bool_, []) for name in ("go", "same_go")]
    nodes = [helper.make_node("Identity", [name], [f"same_{name}"]) for name in ("go", "x")]
    turn = helper.make_tensor_value_info("turn", int_, [])
    body = helper.make_graph(nodes, "body", [turn, go[0], floats[0]], [go[1], floats[1]])
    graph.graph.initializer.append(helper.make_tensor("turns", int_, [], [2**62]))
    graph.graph.initializer.append(helper.make_tensor("yes", bool_, [], [True]))
    for node in graph.graph.node:
        node.output[:] = ["early" if name == "scores" else name for name in node.output]
    graph.graph.node.append(helper.make_node("Loop", ["turns", "yes", "early"], ["scores"], body=body))
    return graph


def zero_points(proto: onnx.ModelProto) -> set[int]:
    """The values of all zero points of a quantised graph."""
    arrays = {tensor.name: tensor for tensor in proto.graph.initializer}
    pairs = [node for node in proto.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    names = [node.input[2] for node in pairs if len(node.input) > 2 and node.input[2] in arrays]
    return {int(value) for name in names for value in onnx.numpy_helper.to_array(arrays[name]).flatten()}
