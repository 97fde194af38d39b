"""Operators that compute each element of their output from one element of each operand."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto

from emovox.export.c.graph import Handler, Lowering, attributes

CODE = {
    "Abs": "fabsf({0})",
    "Add": "({0} + {1})",
    "And": "(float)({0} != 0.0f && {1} != 0.0f)",
    "Div": "({0} / {1})",
    "Erf": "erff({0})",
    "Greater": "(float)({0} > {1})",
    "GreaterOrEqual": "(float)({0} >= {1})",
    "Less": "(float)({0} < {1})",
    "LessOrEqual": "(float)({0} <= {1})",
    "Log": "logf({0})",
    "Max": "larger({0}, {1})",
    "Mul": "({0} * {1})",
    "Neg": "(-{0})",
    "Reciprocal": "(1.0f / {0})",
    "Relu": "larger({0}, 0.0f)",
    "Sigmoid": "(1.0f / (1.0f + expf(-{0})))",
    "Sqrt": "sqrtf({0})",
    "Sub": "({0} - {1})",
    "Tanh": "tanhf({0})",
    "Where": "({0} != 0.0f ? {1} : {2})",
}
"""C code of an element by operator; integers and truth values are floats."""


def elementwise(lowering: Lowering, node: Any) -> None:
    """Lower an operator of `CODE`."""
    if node.op_type == "Div" and not lowering.is_float(node.input[0]):
        raise lowering.refused(node, "it divides integers, expected floats")
    operands = CODE[node.op_type].count("{")
    if len(node.input) != operands:
        raise lowering.refused(node, f"it has {len(node.input)} inputs, expected {operands}")
    lowering.compute(node, CODE[node.op_type], list(node.input))


def cast(lowering: Lowering, node: Any) -> None:
    """Lower a cast to floats, which all numbers are in C."""
    if attributes(node)["to"] != TensorProto.FLOAT:
        raise lowering.refused(node, "it casts to integers or truth values, expected to float32")
    lowering.compute(node, "{0}", [node.input[0]])


def clip(lowering: Lowering, node: Any) -> None:
    """Lower a limit from below, from above, or both."""
    low, high = (name for name in (*node.input[1:], "", "")[:2])
    text = "larger({0}, {1})" if low else "{0}"
    if high:
        text = f"smaller({text}, {{{2 if low else 1}}})"
    lowering.compute(node, text, [name for name in node.input if name])


def power(lowering: Lowering, node: Any) -> None:
    """Lower Pow with a whole exponent from 2 to 4, as products."""
    exponent = float(lowering.array(node, 1))
    if exponent not in (2, 3, 4):
        raise lowering.refused(node, f"its exponent is {exponent:g}, expected 2, 3 or 4")
    lowering.tensor(node.input[0])  # each factor would compute it again
    lowering.compute(node, f"({' * '.join(['{0}'] * int(exponent))})", [node.input[0]])


ELEMENTWISE: dict[str, Handler] = {**dict.fromkeys(CODE, elementwise), "Cast": cast, "Clip": clip, "Pow": power}
