"""Cut the head of a model, from statistics to scores, out of the whole graph in memory.

So a user has one file, and re-scoring needs no encoder. The light core has no `onnx` package. This module reads the
few fields of the protobuf encoding that it needs (numbers as in onnx.proto). A field is a key, then a number or bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from emovox.audio.types import Samples

_VARINT, _BYTES, _FIXED = 0, 2, {1: 8, 5: 4}
"""Wire types: a number with 7 bits per byte, bytes after their length, and numbers of 8 or 4 bytes."""

_GRAPH, _METADATA = 7, 14
"""Field numbers of a model."""

_NODE, _INITIALISER, _INPUT, _OUTPUT, _VALUE_INFO = 1, 5, 11, 12, 13
"""Field numbers of a graph."""

_NODE_INPUT, _NODE_OUTPUT, _TENSOR_NAME, _FLOATS, _RAW, _VALUE_NAME = 1, 2, 8, 4, 9, 1
"""Field numbers of a node, a tensor, and an input or output."""

_LOW_BITS, _MORE = 0x7F, 0x80


def cut_graph(model: bytes, *, source: str, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """Return the part of a graph between a tensor and some outputs.

    Args:
        model: bytes of an ONNX file without external data; the nodes of the part hold no subgraphs.
        source: name of an output, which becomes the first input of the part.
        inputs: names of the inputs to keep, if the part needs them.
        outputs: names of the outputs to keep.

    Returns:
        Bytes of an ONNX file without metadata.
    """
    fields = list(_fields(memoryview(model)))
    parts = list(_fields(next(value for number, value, _ in fields if number == _GRAPH)))
    wanted, nodes = set(outputs), []
    for number, node, raw in reversed(parts):
        made = _names(node, _NODE_OUTPUT) if number == _NODE else ()
        if source not in made and wanted.intersection(made):
            nodes.append(raw)
            wanted.update(_names(node, _NODE_INPUT))
    kept: list[bytes | memoryview] = [*reversed(nodes)]
    values = {}
    for number, value, raw in parts:
        if number == _INITIALISER and not wanted.isdisjoint(_names(value, _TENSOR_NAME)):
            kept.append(raw)
        elif number in (_INPUT, _OUTPUT):
            (name,) = _names(value, _VALUE_NAME)
            values[name] = value
        elif number not in (_NODE, _INITIALISER, _VALUE_INFO):
            kept.append(raw)
    kept += [_field(_INPUT, values[name]) for name in (source, *inputs) if name in values]
    kept += [_field(_OUTPUT, values[name]) for name in outputs]
    rest = [raw for number, _, raw in fields if number not in (_GRAPH, _METADATA)]
    return b"".join([*rest, _field(_GRAPH, b"".join(kept))])


def read_initialiser(model: bytes, name: str) -> Samples:
    """Return the values of a float32 initialiser, flattened to shape [n].

    Raises:
        KeyError: the graph has no initialiser of this name.
    """
    graph = next(value for number, value, _ in _fields(memoryview(model)) if number == _GRAPH)
    for number, tensor, _ in _fields(graph):
        if number == _INITIALISER and name in _names(tensor, _TENSOR_NAME):
            data = b"".join(value for number, value, _ in _fields(tensor) if number in (_FLOATS, _RAW))
            return np.frombuffer(data, "<f4").astype(np.float32)
    raise KeyError(name)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yield number, content (empty unless it is bytes) and encoding of each field."""
    at = 0
    while at < len(data):
        start, (key, at) = at, _number(data, at)
        number, kind = key >> 3, key & 7
        if kind == _BYTES:
            length, at = _number(data, at)
            content, at = data[at : at + length], at + length
        else:
            content, at = data[at:at], _number(data, at)[1] if kind == _VARINT else at + _FIXED[kind]
        yield number, content, data[start:at]


def _number(data: memoryview, at: int) -> tuple[int, int]:
    """Return a number with 7 bits per byte, lowest first, and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & _LOW_BITS) << shift, shift + 7, at + 1
        if byte < _MORE:
            return value, at


def _names(message: memoryview, field: int) -> list[str]:
    return [bytes(value).decode() for number, value, _ in _fields(message) if number == field]


def _field(number: int, content: bytes | memoryview) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(content)) + bytes(content)


def _encoded(value: int) -> bytes:
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & _LOW_BITS | _MORE)
        value >>= 7
    return bytes([*encoded, value])
