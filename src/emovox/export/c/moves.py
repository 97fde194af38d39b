"""Operators that move elements. Most only change how the memory is seen, and take no time."""

from __future__ import annotations

from typing import Any

import numpy as np

from emovox.export.c.graph import Handler, Lowering, attributes
from emovox.export.c.loops import Expression, Leaf, Number, assign
from emovox.export.c.tensor import Tensor


def reshape(lowering: Lowering, node: Any) -> None:
    """Lower an operator that changes the shape alone; elements that lie in another order are copied."""
    source = lowering.tensor(node.input[0])
    lowering.set(node.output[0], lowering.viewed(source, lowering.shape(node.output[0])))


def transpose(lowering: Lowering, node: Any) -> None:
    """Lower Transpose."""
    source = lowering.tensor(node.input[0])
    lowering.set(node.output[0], source.seen(source.array.transpose(attributes(node).get("perm"))))


def cut(lowering: Lowering, node: Any) -> None:
    """Lower Slice."""
    source = lowering.tensor(node.input[0])
    starts, ends = lowering.integers(node, 1, []), lowering.integers(node, 2, [])
    axes = lowering.integers(node, 3, list(range(len(starts))))
    steps = lowering.integers(node, 4, [1] * len(starts))
    if min(steps) < 1:
        raise lowering.refused(node, f"its step is {min(steps)}, expected at least 1")
    parts = [slice(None)] * len(source.shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        parts[axis] = slice(start, end, step)
    lowering.set(node.output[0], source.seen(source.array[tuple(parts)]))


def split(lowering: Lowering, node: Any) -> None:
    """Lower Split."""
    source, axis = lowering.tensor(node.input[0]), attributes(node).get("axis", 0)
    ends = np.cumsum([lowering.shape(name)[axis] for name in node.output])
    for name, part in zip(node.output, np.split(source.array, ends[:-1], axis), strict=True):
        lowering.set(name, source.seen(part))


def concat(lowering: Lowering, node: Any) -> None:
    """Lower Concat: each operand is computed into its part of the output."""
    target, axis = lowering.made(node.output[0]), attributes(node)["axis"]
    ends = np.cumsum([lowering.shape(name)[axis] for name in node.input])
    for name, part in zip(node.input, np.split(target.array, ends[:-1], axis), strict=True):
        lowering.add(assign(target.seen(part), lowering.expression(name, part.shape)))


def gather(lowering: Lowering, node: Any) -> None:
    """Lower Gather with constant indices: one index is a view, several are a copy."""
    source, axis = lowering.tensor(node.input[0]), attributes(node).get("axis", 0)
    axis %= len(source.shape)
    indices = lowering.array(node, 1) % source.shape[axis]
    if indices.ndim == 0:
        chosen = source.array[(slice(None),) * axis + (int(indices),)]
        lowering.set(node.output[0], source.seen(chosen))
        return
    if indices.ndim != 1:
        raise lowering.refused(node, f"its indices have {indices.ndim} axes, expected at most 1")
    shape = lowering.shape(node.output[0])
    column = indices.reshape([-1 if number == axis else 1 for number in range(len(shape))])
    index = Leaf(lowering.program.constant(column).spread(shape))
    lowering.set(node.output[0], _chosen(lowering, source, index, axis=axis, shape=shape))


def gather_elements(lowering: Lowering, node: Any) -> None:
    """Lower GatherElements: the index of one axis is another tensor."""
    source, axis = lowering.tensor(node.input[0]), attributes(node).get("axis", 0)
    shape = lowering.shape(node.output[0])
    axis %= len(shape)
    if any(one != other for number, (one, other) in enumerate(zip(source.shape, shape, strict=True)) if number != axis):
        raise lowering.refused(node, "its indices leave out elements of other axes, expected all of them")
    index = lowering.expression(node.input[1], shape)
    lowering.set(node.output[0], _chosen(lowering, source, index, axis=axis, shape=shape))


def _chosen(lowering: Lowering, source: Tensor, index: Expression, *, axis: int, shape: tuple[int, ...]) -> Expression:
    """Return the element of a tensor whose place on one axis is the value of another expression."""
    lowering.program.use("place")
    first = source.array[(slice(None),) * axis + (slice(0, 1),)]
    return Leaf(source.seen(first).spread(shape), (source.steps[axis], source.shape[axis]), index)


def pad(lowering: Lowering, node: Any) -> None:
    """Lower Pad: with zeros or another constant, or with the elements at the edge."""
    mode = attributes(node).get("mode", b"constant").decode()
    amounts = lowering.integers(node, 1, [])
    if mode not in ("constant", "edge") or min(amounts) < 0 or len(node.input) > 3:
        raise lowering.refused(node, f"mode '{mode}' by {amounts}, expected 'constant' or 'edge' by 0 or more")
    value = float(lowering.array(node, 2)) if len(node.input) == 3 and node.input[2] else 0.0
    source, target = lowering.tensor(node.input[0]), lowering.made(node.output[0])
    inner = tuple(slice(before, before + size) for before, size in zip(amounts, source.shape, strict=False))
    lowering.add(assign(target.seen(target.array[inner]), Leaf(source)))
    for axis, part in enumerate(inner):
        for outside, edge in ((slice(0, part.start), part.start), (slice(part.stop, None), part.stop - 1)):
            strip, border = (
                target.seen(target.array[(slice(None),) * axis + (here, *inner[axis + 1 :])])
                for here in (outside, slice(edge, edge + 1))
            )
            if strip.array.size:
                fill = Number(value) if mode == "constant" else Leaf(border.spread(strip.shape))
                lowering.add(assign(strip, fill))


MOVES: dict[str, Handler] = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape),
    "Transpose": transpose,
    "Slice": cut,
    "Split": split,
    "Concat": concat,
    "Gather": gather,
    "GatherElements": gather_elements,
    "Pad": pad,
}
