"""What TensorRT takes: a check of a graph against its published list, and a script that builds an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from emovox.schema.errors import ExportError
from emovox.schema.files import replacing

TYPES: Mapping[int, str] = {
    TensorProto.FLOAT: "FP32",
    TensorProto.FLOAT16: "FP16",
    TensorProto.BFLOAT16: "BF16",
    TensorProto.INT8: "INT8",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT64",
    TensorProto.BOOL: "BOOL",
}
"""TensorRT's name of each type of ONNX."""

CONSTANT = {"CumSum": [1], "Unsqueeze": [1], "Squeeze": [1], "ReduceSum": [1]} | {"TopK": [1]}
"""Inputs that must be constants, by operator."""


class Group(msgspec.Struct, frozen=True):
    """Operators that take the same types."""

    types: tuple[str, ...]
    operators: tuple[str, ...]


class Support(msgspec.Struct, frozen=True):
    """The list in tensorrt.json.

    Attributes:
        version: of TensorRT.
        opsets: oldest and newest version of ONNX's operators.
        source: where the list was published.
        groups: what it lists.
    """

    version: str
    opsets: tuple[int, int]
    source: str
    groups: tuple[Group, ...]

    @property
    def types(self) -> Mapping[str, frozenset[str]]:
        """Types of each operator that is listed."""
        return {name: frozenset(group.types) for group in self.groups for name in group.operators}


@cache
def support() -> Support:
    """Return the published list."""
    return msgspec.json.decode((files("emovox.export") / "tensorrt.json").read_bytes(), type=Support)


class _Node(NamedTuple):
    node: Any
    constants: Mapping[str, Any]
    ranks: Mapping[str, int]
    given: Mapping[str, Any]


def check(proto: Any, *, where: Path) -> None:
    """Raise an error unless TensorRT lists every operator of a graph, with its types and attributes.

    Args:
        proto: a `ModelProto` whose shapes are inferred.
        where: its file, for messages.

    Raises:
        ExportError: an operator, a type or an attribute is not listed; the message names it and its layer.
    """
    listed, graph = support(), proto.graph
    opset, (oldest, newest) = proto.opset_import[0].version, listed.opsets
    if not oldest <= opset <= newest:
        raise ExportError(f"{where}: opset is {opset}, TensorRT {listed.version} lists {oldest} to {newest}")
    constants = {tensor.name: tensor for tensor in graph.initializer}
    values = [*graph.value_info, *graph.input, *graph.output]
    kinds = {value.name: value.type.tensor_type.elem_type for value in values}
    kinds |= {name: tensor.data_type for name, tensor in constants.items()}
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in values}
    for node in graph.node:
        given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        for problem in _problems(_Node(node, constants, ranks, given), kinds, listed):
            raise ExportError(
                f"{where}: TensorRT {listed.version} does not list operator {node.op_type} of layer "
                f"'{node.name or node.output[0]}'{problem}; take a model without it, or device 'cuda'"
            )


def _problems(seen: _Node, kinds: Mapping[str, int], listed: Support) -> Iterator[str]:
    node = seen.node
    if node.op_type not in listed.types:
        yield ""
        return
    names = [*node.output, *node.input] if node.op_type == "Cast" else node.input[:1]
    if node.op_type == "Where":
        names = node.input[1:]
    for name in names:
        kind = TYPES.get(kinds.get(name, 0), "another type")
        if kind not in listed.types[node.op_type]:
            yield f" with {kind}"
    computed = [n for n in CONSTANT.get(node.op_type, ()) if n < len(node.input) and node.input[n]]
    if any(node.input[n] not in seen.constants for n in computed):
        yield " with computed axes"
    rule = RULES.get(node.op_type)
    if rule is not None and (problem := rule(seen)):
        yield f" with {problem}"


def _pooling(seen: _Node) -> str:
    size = len(seen.given["kernel_shape"])
    if size not in (2, 3):
        return f"{size} axes"
    return "dilations" if any(one != 1 for one in seen.given.get("dilations", [])) else ""


def _lstm(seen: _Node) -> str:
    wrong = [name for name in ("input_forget", "layout") if seen.given.get(name)]
    halves = seen.given.get("activations", [])
    if halves[: len(halves) // 2] != halves[len(halves) // 2 :] and seen.given.get("direction") == b"bidirectional":
        wrong.append("other activations in reverse")
    return ", ".join(wrong)


def _zero(seen: _Node) -> str:
    if len(seen.node.input) < 3 or not seen.node.input[2]:
        return ""
    tensor = seen.constants.get(seen.node.input[2])
    if tensor is None or np.any(numpy_helper.to_array(tensor)):
        return "a zero point that is not 0"
    return "" if tensor.data_type == TensorProto.INT8 else "a zero point that is not of 8 signed bits"


def _normalisation(seen: _Node) -> str:
    return "a second output" if any(seen.node.output[1:]) else ""


def _largest(seen: _Node) -> str:
    if not seen.given.get("sorted", 1):
        return "sorted = 0"
    tensor = seen.constants.get(seen.node.input[1])
    return "k of 3840 or more" if tensor is not None and numpy_helper.to_array(tensor).max() >= 3840 else ""


RULES: Mapping[str, Callable[[_Node], str]] = {
    "AveragePool": _pooling,
    "MaxPool": _pooling,
    "LSTM": _lstm,
    "QuantizeLinear": _zero,
    "DequantizeLinear": _zero,
    "LayerNormalization": _normalisation,
    "TopK": _largest,
}
"""Restrictions of the list; each returns the attribute that it forbids, or ""."""


def write_script(path: Path, *, int8: bool) -> Path:
    """Write a shell script beside NAME.onnx that builds and times its engine by TensorRT's own tool `trtexec`.

    Args:
        path: of the .onnx file.
        int8: whether the graph computes in 8 bits.

    Returns:
        The path of the script, NAME.trtexec.sh.

    Raises:
        ConfigError: it cannot be written.
    """
    name, target = path.stem, path.with_suffix(".trtexec.sh")
    with replacing(target) as file:
        file.write(SCRIPT.format(name=name, precision="--fp16 --int8" if int8 else "--fp16").encode())
    return target


SCRIPT = """#!/bin/sh
# Build {name}.engine from {name}.onnx and time it.
# Run this on the machine that will use the engine: it fits one GPU and one version of TensorRT.
set -eu
cd "$(dirname "$0")"
PATH="$PATH:/usr/src/tensorrt/bin"
trtexec --onnx={name}.onnx --saveEngine={name}.engine {precision} "$@"
"""
