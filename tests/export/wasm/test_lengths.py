"""One C function for many lengths: numbers that grow by equal steps are computed, others are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from emovox.export.c.program import Function, Program
from emovox.export.c.tensor import Step
from emovox.export.wasm.lengths import joined
from emovox.schema.errors import ExportError

WHERE = Path("toy.onnx")
PLACES = (0, 1, 4)


def functions(program: Program, codes: list[str]) -> list[Function]:
    made = []
    for number, code in enumerate(codes):
        function = Function(program)
        buffer = function.buffer([10 * (number + 1)]).buffer
        function.steps.append(Step(code, writes=[buffer]))
        made.append(function)
    return made


def body(codes: list[str], program: Program | None = None) -> tuple[str, int]:
    program = program or Program()
    return joined(program, functions(program, codes), PLACES, where=WHERE)


def test_equal_code_stays_and_the_block_is_that_of_the_longest() -> None:
    text, size = body(["run(3, 0.5f);"] * 3)
    assert text.split("\n") == ["    enum { b1 = 0 };", "    run(3, 0.5f);"]
    assert size == 32


def test_numbers_that_grow_by_equal_steps_are_computed() -> None:
    text, _ = body(["f(10, 7, 0.1f);", "f(15, 7, 0.06666667f);", "f(30, 7, 0.033333335f);"])
    assert text.split("\n")[1:] == ["    const int v0 = 10 + 5 * m;", "    f(v0, 7, (1.0f / (float)v0));"]


def test_structures_get_the_fields_that_change() -> None:
    program = Program()
    names = [program.structure("Product", columns=columns, taps=3) for columns in (4, 6, 12)]
    text, _ = body([f"product(&{name});" for name in names], program)
    assert text.split("\n")[1:] == [
        "    const int v0 = 4 + 2 * m;",
        "    Product s1 = k2; s1.columns = v0;",
        "    product(&s1);",
    ]


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (["f(4);", "f(7);", "f(32);"], r"toy.onnx: the number 4 of its C code becomes \[7, 32\].*expected equal steps"),
        (["f(4);", "f(7);", "f(15);"], r"becomes \[7, 15\]"),
        (["f(4);", "f(7); g();", "f(16);"], "toy.onnx: its C code has other steps for longer input"),
    ],
)
def test_other_differences_are_refused(codes: list[str], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        body(codes)


def test_names_and_digits_in_names_are_no_numbers() -> None:
    text, _ = body(["arena[b12 + i0] = x1;"] * 3)
    assert "arena[b12 + i0] = x1;" in text
