"""A graph in plain float32 before quantisation: halves expanded, batch norm folded, constants computed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from emovox.runtime.session import NO_LOG

FRONT_END = "/front_end/"
"""Part of the names of all tensors that the front end makes."""

BOUNDARY = "statistics"
"""The head begins here. It stays in float, so that any profile of a voice fits: an INT8 range is fixed."""


def optimised(graph: bytes, level: Any) -> Any:
    """Return the `ModelProto` that ONNX Runtime makes of a graph for this CPU, at one of its optimisation levels."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(path)
        options.log_severity_level = NO_LOG
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


def folded(graph: bytes) -> Any:
    """Return a graph without casts of weights, transposed weights and batch norm, as ONNX Runtime folds them.

    Args:
        graph: bytes of an ONNX file of emovox.

    Returns:
        A `ModelProto` with standard operators only, and without metadata.
    """
    proto = optimised(graph, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC)
    standard = [entry for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    del proto.opset_import[:]
    proto.opset_import.extend(standard)
    original = onnx.load_from_string(graph)
    proto.ir_version = original.ir_version
    keep_unused(original, proto)
    del proto.metadata_props[:]
    return proto


def keep_unused(original: Any, proto: Any) -> None:
    """Copy the initialisers that no node uses (the parameters of adaptation): ONNX Runtime's tools remove them."""
    kept = {tensor.name for tensor in proto.graph.initializer}
    used = {name for node in original.graph.node for name in node.input}
    lost = [tensor for tensor in original.graph.initializer if tensor.name not in kept | used]
    proto.graph.initializer.extend(lost)


def products(proto: Any) -> list[Any]:
    """Return the convolutions and affine maps between front end and statistics: what is quantised.

    Products of two activations (attention) are left out: in INT8 they gain no time.
    """
    weights = {tensor.name for tensor in proto.graph.initializer}
    encoder = _ancestors(proto, BOUNDARY)
    return [
        node
        for node in proto.graph.node
        if node.op_type in ("Conv", "MatMul", "Gemm")
        and node.output[0] in encoder
        and FRONT_END not in node.output[0]
        and FRONT_END not in node.name
        and not weights.isdisjoint(node.input)
    ]


def _ancestors(proto: Any, name: str) -> set[str]:
    """Return the tensors that a tensor is computed from, with itself."""
    wanted = {name}
    for node in reversed(proto.graph.node):  # in order of computation
        if not wanted.isdisjoint(node.output):
            wanted.update(node.input)
    return wanted
