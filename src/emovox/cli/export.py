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
    to: Annotated[
        Literal["c", "wasm"],
        typer.Option(help="c: one C99 file NAME.c and its header NAME.h. wasm: one WebAssembly file for a page."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(metavar="<NAME.c|wasm>", help="The new file, [default: name of the model, in this folder]"),
    ] = None,
    seconds: Annotated[
        str,
        typer.Option(
            metavar="<lengths>", help="C: lengths of the windows, such as 3, or 1.5,3. They share the weights."
        ),
    ] = "3",
    store: Annotated[
        Literal["half", "int8"],
        typer.Option(help="Weights in the C file: halves, which change no score, or integers of 8 bits."),
    ] = "half",
) -> None:
    """Write a model as C, or as WebAssembly for a page, which needs no Python and no library.

    If there is a C compiler, a new C file is compiled and compared with ONNX Runtime. WebAssembly needs Emscripten.
    """
    from emovox.runtime.registry import resolve
    from emovox.schema.extras import require

    for module in ("onnx", "onnxslim"):
        require(module, need=NEED, extra=EXTRA)
    path = resolve(model)
    if to == "wasm":
        _write_wasm(path, output)
    else:
        _write_c(path, output, seconds=_lengths(seconds), store=store)


def _write_c(path: Path, output: Path | None, *, seconds: list[float], store: str) -> None:
    from emovox.export.c.files import write_c

    made = write_c(path, output, seconds=seconds, store=store)
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


def _write_wasm(path: Path, output: Path | None) -> None:
    from emovox.export.wasm.files import write_wasm

    made = write_wasm(path, output)
    rows = [
        ("file", str(made.path)),
        ("lengths", f"{', '.join(f'{length:g}' for length in made.seconds)} s"),
        ("size", f"{made.size / 1e6:.2f} MB, {made.compressed / 1e6:.2f} MB by gzip"),
    ]
    say(columns([[name, value] for name, value in rows]), nl=False)
    complain(f"model: {made.path}")


def _lengths(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"'{text}', expected numbers, such as 3, or 1.5,3", param_hint="--seconds") from error
