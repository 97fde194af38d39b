"""Tensors of a C function: views of named buffers. NumPy computes their shapes, offsets and strides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(eq=False)
class Buffer:
    """A piece of memory.

    Attributes:
        name: in the C file.
        array: its elements as they lie in memory; the values of a constant, zeros of any other.
        kind: "arena" is a part of the static block, "constant" an array of constants, "argument" one of the caller.
    """

    name: str
    array: Array
    kind: str = "arena"

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.array.size


class Tensor(NamedTuple):
    """A view of a buffer; `array` shares the memory of `buffer.array`."""

    buffer: Buffer
    array: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of elements of each axis."""
        return self.array.shape

    @property
    def steps(self) -> tuple[int, ...]:
        """Distance in elements from one to the next, along each axis."""
        return tuple(step // self.array.itemsize for step in self.array.strides)

    @property
    def offset(self) -> int:
        """Index in the buffer of the first element."""
        address, base = (one.__array_interface__["data"][0] for one in (self.array, self.buffer.array))
        return int(address - base) // self.array.itemsize

    def seen(self, array: Array) -> Tensor:
        """Return another view of the same buffer."""
        return Tensor(self.buffer, array)

    def reshaped(self, shape: tuple[int, ...]) -> Tensor | None:
        """Return a view of this shape, or None if the elements do not lie in this order."""
        array = self.array.reshape(shape)
        return self.seen(array) if np.may_share_memory(array, self.buffer.array) else None

    def spread(self, shape: tuple[int, ...]) -> Tensor:
        """Return a view of a larger shape, which repeats elements by the rules of broadcasting."""
        return self.seen(np.broadcast_to(self.array, shape))

    def address(self) -> str:
        """Return C code of a pointer to the first element."""
        base = f"arena + {self.buffer.name}" if self.buffer.kind == "arena" else self.buffer.name
        return f"{base} + {self.offset}" if self.offset else base

    def element(self, index: str) -> str:
        """Return C code of the element at an index, which counts from the first element of the view."""
        terms = [term for term in (str(self.offset) if self.offset else "", index) if term]
        if self.buffer.kind == "arena":
            return f"arena[{' + '.join([self.buffer.name, *terms])}]"
        return f"{self.buffer.name}[{' + '.join(terms) or '0'}]"


@dataclass
class Step:
    """A statement of a C function.

    Attributes:
        code: its text.
        reads, writes: what it uses.
        whole: the element that it writes depends on the same element of these tensors alone, so it may replace them.
    """

    code: str
    reads: list[Buffer] = field(default_factory=list)
    writes: list[Buffer] = field(default_factory=list)
    whole: list[Buffer] = field(default_factory=list)
