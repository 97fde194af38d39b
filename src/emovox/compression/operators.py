"""What runs in integers: the operators of the graph that ONNX Runtime makes of a file."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import onnx
import onnxruntime

from emovox.runtime.session import NO_LOG

INTEGER = frozenset(
    {"QLinearConv", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat", "MatMulInteger", "ConvInteger"}
    | {"DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
)
"""Operators whose products are of integers."""

PRODUCTS = ("Conv", "FusedConv", "MatMul", "FusedMatMul", "Gemm", "FusedGemm", "LSTM")
"""Operators whose products are of floats."""


def operators(graph: bytes) -> Counter[str]:
    """Return how often each operator is in the graph that ONNX Runtime runs on this CPU."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(path)
        options.log_severity_level = NO_LOG
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return Counter(node.op_type for node in onnx.load(path).graph.node)


def integer_operators(counts: Counter[str]) -> dict[str, int]:
    """Return the integer products among the operators of `operators`.

    >>> integer_operators(Counter({"QLinearConv": 3, "Add": 2}))
    {'QLinearConv': 3}
    """
    return {name: number for name, number in sorted(counts.items()) if name in INTEGER}
