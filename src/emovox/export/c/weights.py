"""Constants in the C file: how many bytes each value takes, and the text of the arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emovox.export.c.loops import literal
from emovox.export.c.tensor import Array

STORES = ("half", "int8", "wire")
"""How large matrices are stored. `half`: as halves where this changes no value, else as floats. `int8`: as 8-bit
integers with a scale for each row; those of the front end, which must be exact, as 16-bit ones. `wire`: as `int8`, but
those of the front end with 13 bits, which compress better."""

SMALL = 256
"""Number of values below which a matrix is not stored in integers."""

_LEVELS = {"SHORTS": 32767, "BYTES": 127}
_WIRE_LEVELS = 3300
_TYPES = {"FLOATS": "float", "HALVES": "uint16_t", "SHORTS": "int16_t", "BYTES": "int8_t"}
_ITEMS = 20
"""Numbers in a line."""

BYTES = {"FLOATS": 4, "HALVES": 2, "SHORTS": 2, "BYTES": 1}
"""Bytes of a stored value by the name of its type in weights.c."""


class Stored(NamedTuple):
    """A matrix as stored.

    Attributes:
        kind: name of its type in weights.c.
        values: floats, halves as integers, or integers; of the shape of the matrix.
        scale: factor of each row, or None.
    """

    kind: str
    values: Array
    scale: Array | None


def stored(matrix: Array, store: str, *, exact: bool) -> Stored:
    """Return the stored form of a matrix [..., rows, depth].

    Args:
        matrix: float32.
        store: a name in `STORES`.
        exact: whether 8 bits are too few for it.
    """
    if store != "half" and matrix.size >= SMALL:
        kind = "SHORTS" if exact else "BYTES"
        return _integers(matrix, kind, _WIRE_LEVELS if exact and store == "wire" else _LEVELS[kind])
    with np.errstate(over="ignore"):
        half = matrix.astype(np.float16)
    if np.array_equal(half.astype(np.float32), matrix):
        return Stored("HALVES", half.view(np.uint16), None)
    return Stored("FLOATS", matrix, None)


def _integers(matrix: Array, kind: str, levels: int) -> Stored:
    scale = np.asarray(np.maximum(np.abs(matrix).max(axis=-1, keepdims=True), 1e-30) / levels, np.float32)
    values = np.clip(np.round(matrix / scale), -levels, levels)
    return Stored(kind, values.astype(np.int64), scale[..., 0])


def array_text(name: str, kind: str, values: Array) -> str:
    """Return the definition of a constant array."""
    items = [literal(value) if kind == "FLOATS" else str(value) for value in values.ravel().tolist()]
    lines = [",".join(items[at : at + _ITEMS]) for at in range(0, len(items), _ITEMS)]
    return f"static const {_TYPES[kind]} {name}[{len(items)}] = {{\n" + ",\n".join(lines) + "};"
