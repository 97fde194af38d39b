"""One C function for many lengths of the input, made of the functions of a few of them.

The code of two lengths differs in numbers alone: sizes, offsets and, for means, their inverses. If all of these grow by
the same amount from length to length, one function computes them from the number of the length. That is so on a grid
that fits the strides of the network. The file is a third smaller than with a function for each length, and has more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from emovox.export.c.arena import arrange
from emovox.export.c.program import Function, Program
from emovox.schema.errors import ExportError

_TOKEN = re.compile(r"\bk\d+\b|(?<![\w.])\d+\.\d+(?:e-?\d+)?f|(?<![\w.])\d+(?![\w.])")
_FIELD = re.compile(r"\.(\w+) = (-?\w+)")
_DEFINITION = re.compile(r"static const (\w+) (k\d+) = \{(.*)\};", re.DOTALL)


class _Writer:
    """Collects the variables of the function: numbers and structures that follow the length."""

    def __init__(self, program: Program, places: Sequence[int], where: Path) -> None:
        self._places, self._where = places, where
        found = (_DEFINITION.fullmatch(text) for text in program.definitions)
        self._structures = {match[2]: (match[1], match[3]) for match in found if match}
        self._names: dict[object, str] = {}
        self.lines: list[str] = []

    def token(self, values: tuple[str, ...]) -> str:
        """Return what stands for one number, or name of a structure, in all lengths."""
        if len(set(values)) == 1:
            return values[0]
        if values[0].startswith("k"):
            return self._structure(values)
        if values[0].endswith("f"):
            return f"(1.0f / (float){self._number([round(1 / float(value[:-1])) for value in values])})"
        return self._number([int(value) for value in values])

    def _number(self, values: list[int]) -> str:
        slope, rest = divmod(values[-1] - values[0], self._places[-1] - self._places[0])
        if rest or any(values[0] + slope * place != value for place, value in zip(self._places, values, strict=True)):
            raise ExportError(
                f"{self._where}: the number {values[0]} of its C code becomes {values[1:]} for longer input, expected "
                "equal steps; take a model whose strides fit the grid of lengths, such as mobile"
            )
        return self._named((values[0], slope), "v", lambda name: f"const int {name} = {values[0]} + {slope} * m;")

    def _structure(self, names: tuple[str, ...]) -> str:
        kind = self._structures[names[-1]][0]
        fields = [_FIELD.findall(self._structures[name][1]) for name in names]
        changes = []
        for column in zip(*fields, strict=True):
            values = tuple(value for _, value in column)
            if len(set(values)) > 1:
                changes.append((column[0][0], self.token(values)))

        def text(name: str) -> str:
            return f"{kind} {name} = {names[-1]}; {' '.join(f'{name}.{field} = {value};' for field, value in changes)}"

        return self._named(names, "s", text)

    def _named(self, key: object, letter: str, text: Callable[[str], str]) -> str:
        if key not in self._names:
            self._names[key] = f"{letter}{len(self._names)}"
            self.lines.append(text(self._names[key]))
        return self._names[key]


def joined(program: Program, functions: Sequence[Function], places: Sequence[int], *, where: Path) -> tuple[str, int]:
    """Return the body of one function for all lengths, and the floats of the static block that it needs.

    The body computes with `m`, the number of the length.

    Args:
        program: the file that the functions belong to.
        functions: those of a few lengths, ascending.
        places: number of each of these lengths, ascending from 0.
        where: file of the model, for messages.

    Raises:
        ExportError: the functions differ in more than numbers, or a number does not grow by equal steps.
    """
    arena = arrange(functions[-1].steps)
    bodies = ["\n".join(step.code for step in function.steps) for function in functions]
    if len({_TOKEN.sub("", body) for body in bodies}) > 1:
        raise ExportError(
            f"{where}: its C code has other steps for longer input; take a model whose strides fit the grid of "
            "lengths, such as mobile"
        )
    writer = _Writer(program, places, where)
    columns = iter([writer.token(values) for values in zip(*map(_TOKEN.findall, bodies), strict=True)])
    code = _TOKEN.sub(lambda _: next(columns), bodies[-1])
    offsets = ", ".join(f"{name} = {place}" for name, place in arena.places.items())
    lines = [f"enum {{ {offsets} }};", *writer.lines, *code.split("\n")]
    return "\n".join(f"    {line}" for line in lines), arena.size
