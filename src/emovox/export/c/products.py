"""Operators with weights: convolutions, matrix products, affine maps and LSTM."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from emovox.export.c.graph import FRONT_END, Handler, Lowering, attributes
from emovox.export.c.program import TILE
from emovox.export.c.tensor import Array, Step, Tensor

BLOCK, WIDEST = 80, 16
"""Columns of a block in product.c, and the widest tile there."""

FEW_ROWS = 2
"""Rows of a group up to which a convolution is computed row by row."""


@dataclass(frozen=True)
class Taps:
    """How a convolution steps over its input; a matrix product has one tap."""

    number: int = 1
    stride: int = 1
    dilation: int = 1
    pad: int = 0


@dataclass(frozen=True)
class After:
    """What follows a product: a factor and an addend for each row, and whether negative values become 0."""

    name: str
    scale: Array | None
    bias: Array | None
    relu: bool


def convolution(lowering: Lowering, node: Any) -> None:
    """Lower Conv over the last axis; the axis before may have the size 1."""
    weights, taps = lowering.array(node, 1), _taps(lowering, node)
    source = lowering.tensor(node.input[0])
    if source.shape[0] != 1:
        raise lowering.refused(node, f"its batch is {source.shape[0]}, expected 1")
    groups = attributes(node).get("group", 1)
    after = _after(lowering, node, lowering.array(node, 2) if len(node.input) == 3 else None)
    matrix = weights.reshape(groups, weights.shape[0] // groups, -1)
    x = source.seen(source.array[0] if source.array.ndim == 3 else source.array[0, :, 0])
    made = lowering.made(after.name)
    y = made.seen(made.array.reshape(weights.shape[0], -1))
    if weights.shape[1] == 1 and matrix.shape[1] <= FEW_ROWS:
        _row_by_row(lowering, node, matrix, x, y, taps, after)
        return
    inputs = lowering.viewed(x, (groups, weights.shape[1], x.shape[1]))
    outputs = y.seen(y.array.reshape(groups, -1, y.shape[1]))
    product(lowering, node, matrix, inputs, outputs, taps, after)


def _taps(lowering: Lowering, node: Any) -> Taps:
    given = attributes(node)
    shape = lowering.shape(node.input[1])[2:]
    before = given.get("pads", [0] * 2 * len(shape))[: len(shape)]
    if given.get("auto_pad", b"NOTSET") != b"NOTSET" or len(shape) > 2 or any(size != 1 for size in shape[:-1]):
        raise lowering.refused(node, f"its kernel is {list(shape)}, expected [taps] or [1, taps] and no auto_pad")
    if any(one != 1 for one in given.get("strides", [])[:-1]) or any(before[:-1]):
        raise lowering.refused(node, "it steps or pads along another axis than the last")
    if lowering.shape(node.output[0])[2:-1] not in ((), (1,)):
        raise lowering.refused(node, "its input has two axes, expected one of size 1 before the last")
    return Taps(shape[-1], given.get("strides", [1])[-1], given.get("dilations", [1])[-1], before[-1])


def _after(lowering: Lowering, node: Any, bias: Array | None) -> After:
    """Take the batch norm and the ReLU that alone use a product into it."""
    name, scale, relu = node.output[0], None, False
    norm = lowering.next(name, "BatchNormalization")
    if norm is not None:
        weight, shift, mean, variance = (lowering.array(norm, number).astype(np.float64) for number in range(1, 5))
        scale = weight / np.sqrt(variance + attributes(norm).get("epsilon", 1e-5))
        bias = shift - mean * scale + (0 if bias is None else bias * scale)
        lowering.skip(norm)
        name = norm.output[0]
    follower = lowering.next(name, "Relu")
    if follower is not None:
        lowering.skip(follower)
        name, relu = follower.output[0], True
    single = [None if one is None else np.asarray(one, np.float32) for one in (scale, bias)]
    return After(name, single[0], single[1], relu)


def product(
    lowering: Lowering, node: Any, matrix: Array, x: Tensor, y: Tensor, taps: Taps = Taps(), after: After | None = None
) -> None:
    """Add a step that multiplies weights [groups, rows, depth] by x [groups, channels, n] into y [groups, rows, n]."""
    name = product_structure(lowering, node, matrix, x, y, taps, after)
    work = lowering.function.buffer([work_size(matrix.shape[2], y.shape[2])])
    code = f"product(&{name}, {x.address()}, {y.address()}, {work.address()});"
    lowering.add(Step(code, reads=[x.buffer, work.buffer], writes=[y.buffer]))


def work_size(depth: int, columns: int) -> int:
    """Return the floats that product.c needs besides input and output."""
    return depth * (TILE + min(BLOCK, -(-columns // WIDEST) * WIDEST))


def product_structure(
    lowering: Lowering, node: Any, matrix: Array, x: Tensor, y: Tensor, taps: Taps, after: After | None
) -> str:
    """Return the name of the description of a product; arguments as in `product`."""
    lowering.program.use("product")
    weights = lowering.program.weights(
        matrix,
        scale=None if after is None else after.scale,
        bias=None if after is None else after.bias,
        exact=is_front_end(node),
    )
    return lowering.program.structure(
        "Product",
        weights=f"&{weights}",
        groups=len(matrix),
        columns=y.shape[2],
        relu=int(after is not None and after.relu),
        taps=taps.number,
        stride=taps.stride,
        dilation=taps.dilation,
        pad=taps.pad,
        length=x.shape[2],
        in_group=x.steps[0],
        in_channel=x.steps[1],
        in_sample=x.steps[2],
        out_group=y.steps[0],
        out_row=y.steps[1],
        out_column=y.steps[2],
    )


def is_front_end(node: Any) -> bool:
    """Return whether a node belongs to the front end."""
    return FRONT_END in node.output[0] or FRONT_END in node.name


def _row_by_row(lowering: Lowering, node: Any, matrix: Array, x: Tensor, y: Tensor, taps: Taps, after: After) -> None:
    lowering.program.use("depthwise")
    weights = lowering.program.weights(
        matrix, scale=after.scale, bias=after.bias, exact=is_front_end(node), layout="rows"
    )
    name = lowering.program.structure(
        "Depthwise",
        weights=f"&{weights}",
        groups=len(matrix),
        columns=y.shape[1],
        relu=int(after.relu),
        stride=taps.stride,
        dilation=taps.dilation,
        pad=taps.pad,
        length=x.shape[1],
        in_group=x.steps[0],
        in_sample=x.steps[1],
    )
    work = lowering.function.buffer([taps.number])
    code = f"depthwise(&{name}, {x.address()}, {y.address()}, {work.address()});"
    lowering.add(Step(code, reads=[x.buffer, work.buffer], writes=[y.buffer]))


def matrix_product(lowering: Lowering, node: Any) -> None:
    """Lower MatMul of constants with a tensor, in either order."""
    left, right = node.input
    if lowering.is_constant(left) and lowering.shape(left)[-2:] and len(lowering.shape(right)) >= 2:
        matrix, x, y = lowering.array(node, 0), lowering.tensor(right), lowering.made(node.output[0])
        matrix = matrix.reshape(-1, *matrix.shape[-2:])
        inputs = lowering.viewed(x, (math.prod(x.shape[:-2]), *x.shape[-2:]))
        outputs = y.seen(y.array.reshape(-1, *y.shape[-2:]))
        if len(matrix) not in (1, len(inputs.array)) or len(inputs.array) != len(outputs.array):
            raise lowering.refused(node, f"it multiplies {len(matrix)} matrices by {len(inputs.array)}")
        product(lowering, node, np.broadcast_to(matrix, (len(inputs.array), *matrix.shape[1:])), inputs, outputs)
    elif lowering.is_constant(right) and len(lowering.shape(right)) in (1, 2):
        rows = np.atleast_2d(lowering.array(node, 1).T)
        _affine(lowering, node, rows, After(node.output[0], None, None, False))
    else:
        raise lowering.refused(node, "it multiplies two computed matrices, expected constants for one of them")


def affine(lowering: Lowering, node: Any) -> None:
    """Lower Gemm of a tensor with constants."""
    given = attributes(node)
    if given.get("alpha", 1.0) != 1 or given.get("beta", 1.0) != 1 or given.get("transA"):
        raise lowering.refused(node, "it has alpha, beta or transA, expected none of them")
    matrix = lowering.array(node, 1) if given.get("transB") else lowering.array(node, 1).T
    bias = np.broadcast_to(lowering.array(node, 2), (1, len(matrix)))[0] if len(node.input) == 3 else None
    _affine(lowering, node, matrix, _after(lowering, node, bias))


def _affine(lowering: Lowering, node: Any, matrix: Array, after: After) -> None:
    """Multiply each row of a tensor by weights [rows, depth]."""
    x, y = lowering.tensor(node.input[0]), lowering.made(after.name)
    columns, (rows, depth) = math.prod(x.shape[:-1]), matrix.shape
    inputs, outputs = lowering.viewed(x, (1, columns, depth)), lowering.viewed(y, (1, columns, rows))
    inputs, outputs = (one.seen(one.array.swapaxes(1, 2)) for one in (inputs, outputs))
    product(lowering, node, matrix[None], inputs, outputs, after=after)


PRODUCTS: dict[str, Handler] = {"Conv": convolution, "MatMul": matrix_product, "Gemm": affine}
