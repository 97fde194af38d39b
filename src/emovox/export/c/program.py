"""A C file in the making: its constants, and the functions that use them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from emovox.export.c.arena import arrange
from emovox.export.c.tensor import Array, Buffer, Step, Tensor
from emovox.export.c.weights import BYTES, array_text, stored

TILE = 4
"""Rows of a tile in product.c."""

KERNELS = Path(__file__).parent / "kernels"

NEEDS: dict[str, tuple[str, ...]] = {
    "larger": (),
    "smaller": (),
    "place": (),
    "weights": (),
    "lanes": (),
    "product": ("weights", "lanes"),
    "depthwise": ("weights",),
    "lstm": ("weights", "lanes", "product"),
}
"""The files of kernels in the order of the C file, each with those that it uses."""


class Computed(NamedTuple):
    """Weights [groups, rows, depth] that the file computes itself, and the name of the floats, in tiles of 4 rows."""

    name: str
    matrix: Array


class Program:
    """Constants and kernels that the functions of a file share.

    Args:
        store: how large matrices are stored, a name in `STORES`.
        computed: weights that are not stored.

    Attributes:
        definitions: text of each constant.
        size: of all arrays of constants in bytes.
    """

    def __init__(self, *, store: str = "half", computed: Sequence[Computed] = ()) -> None:
        self.store = store
        self._computed = computed
        self.definitions: list[str] = []
        self.size = 0
        self._names: dict[Any, str] = {}
        self._kernels: set[str] = set()

    def use(self, kernel: str) -> None:
        """Add a file of kernels, and those that it needs."""
        self._kernels.update((kernel, *NEEDS[kernel]))

    def text(self) -> str:
        """Return the kernels in use and all constants."""
        kernels = [(KERNELS / f"{name}.c").read_text() for name in NEEDS if name in self._kernels]
        return "\n".join([*kernels, *self.definitions])

    def array(self, values: Array, kind: str = "FLOATS") -> str:
        """Return the name of a constant array; equal ones are one."""
        key = (kind, hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest())
        if key not in self._names:
            self._names[key] = f"k{len(self._names)}"
            self.definitions.append(array_text(self._names[key], kind, values))
            self.size += BYTES[kind] * values.size
        return self._names[key]

    def constant(self, values: Array) -> Tensor:
        """Return a constant tensor."""
        array = np.ascontiguousarray(values, np.float32)
        return Tensor(Buffer(self.array(array), array, "constant"), array)

    def structure(self, kind: str, /, **fields: object) -> str:
        """Return the name of a constant structure; equal ones are one."""
        text = f"{kind} {{{', '.join(f'.{name} = {value}' for name, value in fields.items())}}}"
        if text not in self._names:
            name = self._names[text] = f"k{len(self._names)}"
            self.definitions.append(f"static const {kind} {name} = {text.removeprefix(kind).strip()};")
        return self._names[text]

    def weights(
        self,
        matrix: Array,
        *,
        scale: Array | None = None,
        bias: Array | None = None,
        exact: bool,
        layout: Literal["tiles", "rows", "columns"] = "tiles",
    ) -> str:
        """Return the name of stored weights [groups, rows, depth].

        Args:
            matrix: float32.
            scale: factor of each row of the product, [groups * rows], or None.
            bias: addend of each row after that, [groups * rows], or None.
            exact: whether 8 bits are too few.
            layout: "tiles" of 4 rows as product.c reads them, or one row or one column after the other.
        """
        self.use("weights")
        groups, rows, depth = matrix.shape
        made = stored(matrix, self.store, exact=exact)
        for name, known in self._computed:
            if layout == "tiles" and matrix.shape == known.shape and np.allclose(matrix, known, atol=1e-6):
                return self._structure("FLOATS", name, matrix, scale, bias)
        values = made.values
        if layout == "columns":
            values = values.swapaxes(1, 2)
        elif layout == "tiles":
            values = np.pad(values, [(0, 0), (0, -rows % TILE), (0, 0)])
            values = values.reshape(groups, -1, TILE, depth).swapaxes(2, 3)
        factor = (
            made.scale if scale is None else scale.reshape(groups, rows) * (1 if made.scale is None else made.scale)
        )
        name = self.array(np.ascontiguousarray(values), made.kind)
        return self._structure(made.kind, name, matrix, factor, bias)

    def _structure(self, kind: str, name: str, matrix: Array, scale: Array | None, bias: Array | None) -> str:
        return self.structure(
            "Weights",
            values=name,
            kind=kind,
            scale="NULL" if scale is None else self.array(np.asarray(scale, np.float32)),
            bias="NULL" if bias is None else self.array(np.asarray(bias, np.float32)),
            rows=matrix.shape[1],
            depth=matrix.shape[2],
        )


class Function:
    """The steps of one C function, in order.

    Args:
        program: the file that it belongs to.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps: list[Step] = []
        self._buffers = 0

    def buffer(self, shape: Sequence[int]) -> Tensor:
        """Return a new tensor in the static block."""
        self._buffers += 1
        array = np.zeros(tuple(shape), np.float32)
        return Tensor(Buffer(f"b{self._buffers}", array), array)

    def text(self) -> tuple[str, int]:
        """Return the body of the function, and the floats of the static block that it needs."""
        arena = arrange(self.steps)
        places = ", ".join(f"{name} = {place}" for name, place in arena.places.items())
        lines = [f"enum {{ {places} }};"] if places else []
        for step in self.steps:
            lines += step.code.split("\n")
        return "\n".join(f"    {line}" for line in lines), arena.size


def argument(name: str, shape: Sequence[int]) -> Tensor:
    """Return a tensor that the caller of a C function gives."""
    array = np.zeros(tuple(shape), np.float32)
    return Tensor(Buffer(name, array, "argument"), array)
