"""Store constants in few bytes. ONNX Runtime expands them once, at load: no time is lost at run time."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from emovox.adaptation.parameters import PREFIX
from emovox.export.speech_output import PREFIX as SPEECH_PART
from emovox.runtime.model_head import SPEAKER_INPUTS

SMALL = 1024
"""Size of a tensor below which little is saved."""

_LEVELS = {"int16": 32767, "int8": 127}
"""Largest stored number by type."""


def store_compactly(proto: Any, *, integers: bool) -> None:
    """Store each large float tensor of a graph in fewer bytes, in place.

    Halves serve where they change no value. Bases of the front end get 16-bit integers (their error is 1.5e-5 of the
    largest value, that of halves 2.4e-4), the matrices of head and LSTM 8-bit ones with a scale for each row.

    Args:
        proto: a `ModelProto`.
        integers: False stores halves alone; TensorRT has no 16-bit integers.
    """
    del proto.graph.value_info[:]
    untouched = {*SPEAKER_INPUTS, *_quantised(proto)}
    nodes = []
    for tensor in list(proto.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < SMALL or tensor.name in untouched:
            continue
        if tensor.name.startswith(PREFIX):  # no node uses it, and its reader takes floats and halves
            continue
        nodes += _stored(proto, tensor) if integers else _halves(tensor, numpy_helper.to_array(tensor))
    rest = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([*nodes, *rest])
    _shorten(proto)


def _shorten(proto: Any) -> None:
    """Give the tensors of the map of speech short names, and take away the names of other nodes: 24 kB of `mobile`."""
    inner = [name for node in proto.graph.node for name in node.output if name.startswith(SPEECH_PART)]
    short = {name: f"{SPEECH_PART}{number}" for number, name in enumerate(dict.fromkeys(inner))}
    for node in proto.graph.node:
        node.name = node.name if node.name.startswith(SPEECH_PART) else ""
        node.input[:] = [short.get(name, name) for name in node.input]
        node.output[:] = [short.get(name, name) for name in node.output]


def _quantised(proto: Any) -> set[str]:
    """Return the scales and zero points: the nodes that use them take constants."""
    pairs = (node for node in proto.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear"))
    return {name for node in pairs for name in node.input[1:]}


def _stored(proto: Any, tensor: Any) -> list[Any]:
    """Replace a tensor by its stored form, and return the nodes that expand it."""
    name, values = tensor.name, numpy_helper.to_array(tensor)
    if name in _coarse(proto):
        return _integers(proto, tensor, values, "int8", by_row=True)
    return _halves(tensor, values) or _integers(proto, tensor, values, "int16", by_row=False)


def _coarse(proto: Any) -> set[str]:
    """Return the matrices of the LSTM and of the head, without its last affine map: 8 bits are enough for them."""
    found: set[str] = set()
    for node in proto.graph.node:
        if node.op_type == "LSTM":
            found.update(node.input[1:3])
        elif node.op_type == "Gemm" and node.input[0] != "embedding":
            found.add(node.input[1])
    return found


def _halves(tensor: Any, values: Any) -> list[Any]:
    """Store a tensor as float16 if this changes no value, and return the node that expands it; else none."""
    name = tensor.name
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.array_equal(half.astype(np.float32), values):
        return []
    tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
    return [helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT)]


def _integers(proto: Any, tensor: Any, values: Any, kind: str, *, by_row: bool) -> list[Any]:
    """Store a tensor as integers with one scale, or one for each row, and return the nodes that expand it."""
    name = tensor.name
    largest = np.abs(values).max(axis=-1, keepdims=True) if by_row else np.abs(values).max()
    scale = np.asarray(np.maximum(largest, 1e-12) / _LEVELS[kind], np.float32)
    numbers = np.round(values / scale).astype(kind)
    tensor.CopyFrom(numpy_helper.from_array(numbers, f"{name}.{kind}"))
    proto.graph.initializer.append(numpy_helper.from_array(scale, f"{name}.step"))
    return [
        helper.make_node("Cast", [f"{name}.{kind}"], [f"{name}.numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.numbers", f"{name}.step"], [name]),
    ]
