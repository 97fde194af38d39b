"""Operators along axes: sums, maxima, minima, means, softmax, running sums and the place of the maximum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emovox.export.c.graph import Handler, Lowering, attributes
from emovox.export.c.loops import leaves, literal, nest, text_of
from emovox.export.c.tensor import Step, Tensor

EXTREMES = {"ReduceMax": ("larger", "-INFINITY"), "ReduceMin": ("smaller", "INFINITY")}
"""Kernel and first value of the operators that keep one element."""


def reduce(lowering: Lowering, node: Any) -> None:
    """Lower a sum, a maximum, a minimum or a mean over axes."""
    shape = lowering.shape(node.input[0])
    if node.op_type == "GlobalAveragePool":
        axes = list(range(2, len(shape)))
    else:
        every = list(range(len(shape)))
        axes = [axis % len(shape) for axis in attributes(node).get("axes", lowering.integers(node, 1, every))]
    start, update = "0.0f", "sum + {}"
    if node.op_type in EXTREMES:
        kernel, start = EXTREMES[node.op_type]
        lowering.program.use(kernel)
        update = f"{kernel}(sum, {{}})"
    averages = node.op_type in ("ReduceMean", "GlobalAveragePool")
    factor = 1 / float(np.prod([shape[axis] for axis in axes])) if averages else 1.0
    element = lowering.expression(node.input[0], shape)
    read = list(leaves(element))
    target = lowering.made(node.output[0])
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    seen = target.reshaped(kept)
    assert seen is not None  # new memory is in order
    outer = nest(kept, [seen, *(one.tensor.seen(_first(one.tensor, axes)) for one in read)])
    inside = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
    inner = nest(inside, [one.tensor.seen(_others(one.tensor, axes)) for one in read], name="n")
    places = {id(one): f"{a} + {b}" for one, a, b in zip(read, outer.indices[1:], inner.indices, strict=True)}
    loop = inner.around([f"sum = {update.format(text_of(element, places))};"])
    scaled = "sum" if factor == 1 else f"sum * {literal(factor)}"
    body = [f"float sum = {start};", *loop.split("\n"), f"{seen.element(outer.indices[0])} = {scaled};"]
    code = outer.around(body) if outer.depth else _block(body)
    lowering.add(Step(code, reads=[one.tensor.buffer for one in read], writes=[seen.buffer]))


def _block(lines: Sequence[str]) -> str:
    return "\n".join(["{", *(f"    {line}" for line in lines), "}"])


def _first(tensor: Tensor, axes: Sequence[int]) -> Any:
    """Return a view of the first elements of these axes."""
    return tensor.array[tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(len(tensor.shape)))]


def _others(tensor: Tensor, axes: Sequence[int]) -> Any:
    """Return a view of the first elements of all other axes."""
    return _first(tensor, [axis for axis in range(len(tensor.shape)) if axis not in axes])


def along(lowering: Lowering, node: Any, *, axis: int, body: Sequence[str], out: Tensor | None = None) -> None:
    """Lower an operator of one axis: lines of C with x[n] and y[n] for an operand's and the output's elements of it.

    Args:
        lowering: of the graph.
        node: the operator.
        axis: its axis.
        body: lines of C; {n} is the length of the axis, {x} and {y} are elements at index n.
        out: memory of the output.
    """
    source = lowering.tensor(node.input[0])
    target = lowering.made(node.output[0]) if out is None else out
    axis %= len(source.shape)
    pair = [source, target]
    outer = nest(_first(source, [axis]).shape, [one.seen(_first(one, [axis])) for one in pair])
    x, y = (one.element(f"{index} + n * {one.steps[axis]}") for one, index in zip(pair, outer.indices, strict=True))
    first = target.element(outer.indices[1])
    lines = [line.format(x=x, y=y, first=first, n=source.shape[axis]) for line in body]
    code = outer.around(lines) if outer.depth else _block(lines)
    lowering.add(Step(code, reads=[source.buffer], writes=[target.buffer]))


def softmax(lowering: Lowering, node: Any) -> None:
    """Lower Softmax over one axis."""
    lowering.program.use("larger")
    body = [
        "float most = -INFINITY, sum = 0.0f;",
        "for (int n = 0; n < {n}; n++)",
        "    most = larger(most, {x});",
        "for (int n = 0; n < {n}; n++)",
        "    sum += {y} = expf({x} - most);",
        "for (int n = 0; n < {n}; n++)",
        "    {y} /= sum;",
    ]
    along(lowering, node, axis=attributes(node).get("axis", -1), body=body)


def cumulate(lowering: Lowering, node: Any) -> None:
    """Lower CumSum."""
    if any(attributes(node).get(name) for name in ("exclusive", "reverse")):
        raise lowering.refused(node, "it is exclusive or reverse, expected neither")
    body = ["float sum = 0.0f;", "for (int n = 0; n < {n}; n++)", "    {y} = sum += {x};"]
    along(lowering, node, axis=int(lowering.array(node, 1)), body=body)


def place_of_maximum(lowering: Lowering, node: Any) -> None:
    """Lower ArgMax: the first place of the maximum."""
    given = attributes(node)
    if given.get("select_last_index"):
        raise lowering.refused(node, "it selects the last index, expected the first")
    axis = given.get("axis", 0) % len(lowering.shape(node.input[0]))
    target = lowering.made(node.output[0])
    kept = tuple(1 if number == axis else size for number, size in enumerate(lowering.shape(node.input[0])))
    body = [
        "float most = -INFINITY;",
        "{first} = 0.0f;",
        "for (int n = 0; n < {n}; n++)",
        "    if ({x} > most) {{",
        "        most = {x};",
        "        {first} = (float)n;",
        "    }}",
    ]
    along(lowering, node, axis=axis, body=body, out=target.reshaped(kept))


def average(lowering: Lowering, node: Any) -> None:
    """Lower AveragePool over the last axis, without padding."""
    given = attributes(node)
    size, stride = given["kernel_shape"], given.get("strides", [1] * len(given["kernel_shape"]))
    if any(given.get("pads", [])) or given.get("ceil_mode") or any(one != 1 for one in (*size[:-1], *stride[:-1])):
        raise lowering.refused(node, f"it pads, or averages {size}, expected windows of the last axis alone")
    source, target = lowering.tensor(node.input[0]), lowering.made(node.output[0])
    windows = np.lib.stride_tricks.sliding_window_view(source.array, size[-1], axis=-1)[..., :: stride[-1], :]
    outer = nest(target.shape, [target, source.seen(windows[..., 0])])
    taken = source.element(f"{outer.indices[1]} + n * {source.steps[-1]}")
    body = [
        "float sum = 0.0f;",
        f"for (int n = 0; n < {size[-1]}; n++)",
        f"    sum += {taken};",
        f"{target.element(outer.indices[0])} = sum * {literal(1 / size[-1])};",
    ]
    code = outer.around(body) if outer.depth else _block(body)
    lowering.add(Step(code, reads=[source.buffer], writes=[target.buffer]))


REDUCTIONS: dict[str, Handler] = {
    **dict.fromkeys(("ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "GlobalAveragePool"), reduce),
    "Softmax": softmax,
    "CumSum": cumulate,
    "ArgMax": place_of_maximum,
    "AveragePool": average,
}
