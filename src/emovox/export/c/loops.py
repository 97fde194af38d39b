"""Loops over the elements of tensors: expressions of elements, and the nests that assign them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from emovox.export.c.tensor import Buffer, Step, Tensor


@dataclass(frozen=True, eq=False)
class Leaf:
    """An element of a tensor.

    Attributes:
        tensor: of the shape of the loops.
        along: step of an axis whose index is the value of `index`, in elements, and the length of that axis.
        index: another element, which says where on that axis.
    """

    tensor: Tensor
    along: tuple[int, int] = (0, 0)
    index: Expression | None = None


@dataclass(frozen=True, eq=False)
class Call:
    """An operation on elements: `text` is C code with {0}, {1} … for the operands."""

    text: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Number:
    """A constant."""

    value: float


Expression = Leaf | Call | Number


def leaves(expression: Expression) -> Iterator[Leaf]:
    """Yield the elements that an expression reads."""
    if isinstance(expression, Leaf):
        yield expression
        if expression.index is not None:
            yield from leaves(expression.index)
    elif isinstance(expression, Call):
        for operand in expression.operands:
            yield from leaves(operand)


def literal(value: float) -> str:
    """Return a float of C that reads back as the same float32.

    >>> literal(1), literal(-0.1), literal(1e-30)
    ('1.0f', '-0.1f', '1e-30f')
    """
    single = np.float32(value)
    if not np.isfinite(single):
        return {"inf": "INFINITY", "-inf": "-INFINITY"}.get(str(single), "NAN")
    return f"{single!s}f"


def _sum(indices: Sequence[str], steps: Sequence[int]) -> str:
    """Return C code of an index.

    >>> _sum(["i", "j", "k"], [32, 0, 1])
    'i * 32 + k'
    """
    pairs = zip(indices, steps, strict=True)
    return " + ".join(index if step == 1 else f"{index} * {step}" for index, step in pairs if step) or "0"


class Nest(NamedTuple):
    """Nested loops.

    Attributes:
        opening: lines that begin them.
        indices: C code of the index of each tensor, which counts from its first element.
        depth: their number.
    """

    opening: list[str]
    indices: list[str]
    depth: int

    def around(self, body: Sequence[str]) -> str:
        """Return the loops with a body."""
        inner = [f"{'    ' * self.depth}{line}" for line in body]
        closing = [f"{'    ' * level}}}" for level in reversed(range(self.depth))]
        return "\n".join([*self.opening, *inner, *closing])


def nest(shape: tuple[int, ...], tensors: Sequence[Tensor], *, name: str = "i") -> Nest:
    """Return loops over a shape; axes that all tensors step through as one become one loop.

    Args:
        shape: of the loops.
        tensors: of this shape, each.
        name: begins the names of the variables.
    """
    axes: list[tuple[int, list[int]]] = []
    for axis, size in enumerate(shape):
        steps = [tensor.steps[axis] for tensor in tensors]
        if size == 1:
            continue
        if axes and axes[-1][1] == [step * size for step in steps]:
            axes[-1] = (axes[-1][0] * size, steps)
        else:
            axes.append((size, steps))
    names = [f"{name}{number}" for number in range(len(axes))]
    opening = [
        f"{'    ' * level}for (int {one} = 0; {one} < {size}; {one}++) {{"
        for level, (one, (size, _)) in enumerate(zip(names, axes, strict=True))
    ]
    indices = [_sum(names, [steps[number] for _, steps in axes]) for number in range(len(tensors))]
    return Nest(opening, indices, len(axes))


def text_of(expression: Expression, indices: dict[int, str]) -> str:
    """Return C code of an expression; `indices` has that of each leaf, by its `id`."""
    if isinstance(expression, Number):
        return literal(expression.value)
    if isinstance(expression, Call):
        return expression.text.format(*(text_of(operand, indices) for operand in expression.operands))
    place = indices[id(expression)]
    if expression.index is not None:
        step, length = expression.along
        chosen = f"place({text_of(expression.index, indices)}, {length})"
        place = f"{place} + {chosen}" if step == 1 else f"{place} + {chosen} * {step}"
    return expression.tensor.element(place)


def assign(target: Tensor, expression: Expression) -> Step:
    """Return the loops that write an expression of the same shape into a tensor."""
    read = list(leaves(expression))
    loops = nest(target.shape, [target, *(leaf.tensor for leaf in read)])
    indices = {id(leaf): index for leaf, index in zip(read, loops.indices[1:], strict=True)}
    line = f"{target.element(loops.indices[0])} = {text_of(expression, indices)};"
    return Step(
        loops.around([line]),
        reads=[leaf.tensor.buffer for leaf in read],
        writes=[target.buffer],
        whole=_replaceable(target, read),
    )


def _replaceable(target: Tensor, read: Sequence[Leaf]) -> list[Buffer]:
    """Return the buffers that are read at the index that is written alone."""
    same = {
        id(leaf.tensor.buffer): leaf.tensor.buffer
        for leaf in read
        if leaf.tensor.buffer.kind == "arena" and _aligned(leaf, target)
    }
    moved = {id(leaf.tensor.buffer) for leaf in read if not _aligned(leaf, target)}
    return [buffer for key, buffer in same.items() if key not in moved]


def _aligned(leaf: Leaf, target: Tensor) -> bool:
    seen = leaf.tensor
    steps = zip(seen.shape, seen.steps, target.steps, strict=True)
    return leaf.index is None and seen.offset == target.offset and all(a == b for size, a, b in steps if size > 1)
