"""Read the file of a graph without the `onnx` package, which the light core lacks.

`cut_graph` takes the head of a model, from statistics to scores, out of the whole graph in memory. So a user has one
file, and re-scoring needs no encoder. `names_other_files` finds weights that are kept elsewhere.
Field numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from emovox.audio.types import Samples
from emovox.runtime.protobuf import encode_field, fields

_GRAPH, _METADATA = 7, 14
"""Field numbers of a model."""

_NODE, _INITIALISER, _INPUT, _OUTPUT, _VALUE_INFO = 1, 5, 11, 12, 13
"""Field numbers of a graph."""

_HALF = bytes([2 << 3, 10])
"""Field of a tensor that says float16."""

_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _TENSOR_NAME, _FLOATS, _RAW = 1, 2, 4, 8, 4, 9
"""Field numbers of a node and of a tensor."""

_VALUE_NAME, _VALUE_TYPE = 1, 2
"""Field numbers of an input or output."""

_FLOAT_TENSOR = b"\x0a\x02\x08\x01"
"""Type of a value: a float32 tensor of any shape."""

_PRODUCTS = {b"MatMul", b"Gemm"}
"""Operators of an affine map."""

_EXTERNAL = 13
"""Field number of a tensor: where its values are, if they are in another file."""

_LOCATION = b"location"
"""Every such tensor has this key."""

_PARTS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
}
"""Messages that can hold a tensor at any depth: message → field number → message in that field."""


def cut_graph(model: bytes, *, source: str, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """Return the part of a graph between a tensor and some outputs.

    Args:
        model: bytes of an ONNX file without external data; the nodes of the part hold no subgraphs.
        source: name of an output or of a float32 tensor inside, which becomes the first input of the part.
        inputs: names of the inputs to keep, if the part needs them.
        outputs: names of the outputs to keep, or of float32 tensors inside.

    Returns:
        Bytes of an ONNX file without metadata.
    """
    whole = list(fields(memoryview(model)))
    parts = list(fields(_graph(whole)))
    wanted, nodes = set(outputs), []
    for number, node, raw in reversed(parts):
        made = _names(node, _NODE_OUTPUT) if number == _NODE else ()
        if source not in made and wanted.intersection(made):
            nodes.append(raw)
            wanted.update(_names(node, _NODE_INPUT))
    kept: list[bytes | memoryview] = [*reversed(nodes)]
    values: dict[str, memoryview] = {}
    for number, value, raw in parts:
        if number == _INITIALISER and not wanted.isdisjoint(_names(value, _TENSOR_NAME)):
            kept.append(raw)
        elif number in (_INPUT, _OUTPUT):
            (name,) = _names(value, _VALUE_NAME)
            values[name] = value
        elif number not in (_NODE, _INITIALISER, _VALUE_INFO):
            kept.append(raw)
    values |= {name: _float_value(name) for name in (source, *outputs) if name not in values}
    kept += [encode_field(_INPUT, values[name]) for name in (source, *inputs) if name in values]
    kept += [encode_field(_OUTPUT, values[name]) for name in outputs]
    rest = [raw for number, _, raw in whole if number not in (_GRAPH, _METADATA)]
    return b"".join([*rest, encode_field(_GRAPH, b"".join(kept))])


def first_product(model: bytes, *, source: str) -> str:
    """Return the name of the first affine map's output among the nodes that depend on a tensor.

    Args:
        model: bytes of an ONNX file, whose nodes are in order.
        source: name of the tensor.

    Raises:
        KeyError: there is no such map.
    """
    reached = {source}
    for number, node, _ in fields(_graph(fields(memoryview(model)))):
        if number == _NODE and not reached.isdisjoint(_names(node, _NODE_INPUT)):
            reached.update(made := _names(node, _NODE_OUTPUT))
            if any(bytes(value) in _PRODUCTS for field, value, _ in fields(node) if field == _NODE_OPERATOR):
                return made[0]
    raise KeyError(source)


def names_other_files(model: bytes) -> bool:
    """Return whether a tensor of the model, at any depth, has its values in another file.

    Such values are outside the SHA-256 in the card, and ONNX Runtime reads them from any file below the working
    directory. Subgraphs, attributes, sparse tensors and functions are searched, too.

    Raises:
        ValueError: the bytes are no ONNX file.
    """
    if _LOCATION not in model:  # found in 2 ms, while the search takes 20 ms
        return False
    waiting = [("model", memoryview(model))]
    while waiting:
        kind, message = waiting.pop()
        for number, content, _ in fields(message):
            if kind == "tensor" and number == _EXTERNAL:
                return True
            if part := _PARTS.get(kind, {}).get(number):
                waiting.append((part, content))
    return False


def read_initialiser(model: bytes, name: str) -> Samples:
    """Return the values of a float32 or float16 initialiser as float32, flattened to shape [n].

    Raises:
        KeyError: the graph has no initialiser of this name.
    """
    graph = _graph(fields(memoryview(model)))
    for number, tensor, _ in fields(graph):
        if number == _INITIALISER and name in _names(tensor, _TENSOR_NAME):
            data = b"".join(value for number, value, _ in fields(tensor) if number in (_FLOATS, _RAW))
            is_half = any(whole == _HALF for *_, whole in fields(tensor))
            return np.frombuffer(data, "<f2" if is_half else "<f4").astype(np.float32)
    raise KeyError(name)


def _float_value(name: str) -> memoryview:
    """Return an input or output: a float32 tensor of any shape."""
    return memoryview(encode_field(_VALUE_NAME, name.encode()) + encode_field(_VALUE_TYPE, _FLOAT_TENSOR))


def _graph(model: Iterable[tuple[int, memoryview, memoryview]]) -> memoryview:
    """Return the graph among the fields of a model.

    Raises:
        ValueError: there is none.
    """
    for number, content, _ in model:
        if number == _GRAPH:
            return content
    raise ValueError("the file holds no graph")


def _names(message: memoryview, field: int) -> list[str]:
    return [bytes(value).decode() for number, value, _ in fields(message) if number == field]
