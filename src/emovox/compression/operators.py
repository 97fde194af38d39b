"""What runs in integers: the operators of the graph that ONNX Runtime makes of a file."""

from __future__ import annotations

from collections import Counter

import onnxruntime

from emovox.compression.folding import optimised

INTEGER = frozenset(
    {"QLinearConv", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat", "MatMulInteger", "ConvInteger"}
    | {"DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
)
"""Operators whose products are of integers."""

PRODUCTS = ("Conv", "FusedConv", "MatMul", "FusedMatMul", "Gemm", "FusedGemm", "LSTM")
"""Operators whose products are of floats."""


def operators(graph: bytes) -> Counter[str]:
    """Return how often each operator is in the graph that ONNX Runtime runs on this CPU."""
    proto = optimised(graph, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED)
    return Counter(node.op_type for node in proto.graph.node)


def integer_operators(counts: Counter[str]) -> dict[str, int]:
    """Return the integer products among the operators of `operators`.

    >>> integer_operators(Counter({"QLinearConv": 3, "Add": 2}))
    {'QLinearConv': 3}
    """
    return {name: number for name, number in sorted(counts.items()) if name in INTEGER}
