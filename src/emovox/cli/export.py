"""`emovox export`: a model for programs without Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emovox.cli.console import columns, complain, say

NEED, EXTRA = "emovox export", "train"


def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of a model, path of a NAME.onnx, or a run folder.")
    ],
    to: Annotated[Literal["c"], typer.Option(help="c: one C99 file NAME.c and its header NAME.h.")],
    output: Annotated[
        Path | None,
        typer.Option(metavar="<NAME.c>", help="The new file, [default: name of the model, in this folder]"),
    ] = None,
    seconds: Annotated[
        str,
        typer.Option(metavar="<lengths>", help="Lengths of the windows, such as 3, or 1.5,3. All share the weights."),
    ] = "3",
    store: Annotated[
        Literal["half", "int8"],
        typer.Option(help="Weights in the C file: halves, which change no score, or integers of 8 bits."),
    ] = "half",
) -> None:
    """Write a model as source code that needs no Python and no library.

    If there is a C compiler, the new file is compiled and compared with ONNX Runtime.
    """
    from emovox.runtime.registry import resolve
    from emovox.schema.extras import require

    for module in ("onnx", "onnxslim"):
        require(module, need=NEED, extra=EXTRA)
    from emovox.export.c.files import write_c

    assert to == "c"
    path = resolve(model)
    made = write_c(path, output, seconds=_lengths(seconds), store=store)
    rows = [
        ("files", f"{made.path}, {made.path.with_suffix('.h').name}"),
        ("windows", f"{', '.join(map(str, made.windows))} samples"),
        ("memory", f"{made.arena / 1e6:.2f} MB, no heap"),
        ("weights", f"{made.constants / 1e6:.2f} MB"),
        ("operators", ", ".join(made.operators)),
        ("largest difference", made.difference or "not compared: no C compiler 'cc' on the path"),
    ]
    say(columns([[name, value] for name, value in rows]), nl=False)
    complain(f"model: {made.path}")


def _lengths(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"'{text}', expected numbers, such as 3, or 1.5,3", param_hint="--seconds") from error
