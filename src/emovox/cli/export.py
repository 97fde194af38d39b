"""`emovox export`: a model for programs without Python, and for other runtimes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from emovox.cli.console import columns, complain, say

if TYPE_CHECKING:
    from emovox.export.fixed_onnx import FixedFile

NEED, EXTRA = "emovox export", "train"

Target = Literal["onnx", "c", "wasm", "web", "tensorrt"]


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Name of a model, path of a NAME.onnx, a run folder, or the folder of a trained network.",
        ),
    ],
    to: Annotated[
        Target,
        typer.Option(
            help="onnx: one file for ONNX Runtime; with --seconds, of fixed shapes. c: one C99 file and its header. "
            "wasm: one WebAssembly file for a page. web: three files for onnxruntime-web in a page. "
            "tensorrt: an ONNX file of fixed shapes that TensorRT lists, and a "
            "script that builds the engine."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="<file>", help="The new file, for web a folder, [default: name of the model, in this folder]"
        ),
    ] = None,
    seconds: Annotated[
        str | None,
        typer.Option(
            metavar="<lengths>",
            help="Length of the input, [default: 3, for onnx any]. The C file may have several: 1.5,3.",
        ),
    ] = None,
    store: Annotated[
        Literal["half", "int8"],
        typer.Option(help="Weights in the C file: floats of 16 bits, which keep the scores, or integers of 8 bits."),
    ] = "half",
) -> None:
    """Write a model for another program, and report how close its scores are.

    A C file is compiled and compared with ONNX Runtime if there is a C compiler. WebAssembly needs Emscripten.
    """
    from emovox.schema.extras import require

    for module in ("onnx", "onnxslim", "torch"):
        require(module, need=NEED, extra=EXTRA)
    from emovox.export.source import is_trained, model_file

    lengths = None if seconds is None else _lengths(seconds)
    if to == "onnx" and lengths is None:
        if not is_trained(model):
            _refused(model)
        rows = _any_length(Path(model), output)
    else:
        with model_file(model) as path:
            if to == "c":
                rows = _c(path, output, lengths, store)
            else:
                pages = {"wasm": _wasm, "web": _web}
                rows = pages[to](path, output) if to in pages else _fixed(path, output, lengths, to)
    say(columns([[name, value] for name, value in rows]), nl=False)
    complain(f"model: {rows[0][1]}")


def _c(path: Path, output: Path | None, lengths: list[float] | None, store: str) -> list[tuple[str, str]]:
    from emovox.export.c.files import write_c

    made = write_c(path, output, seconds=lengths or [3.0], store=store)
    return [
        ("file", str(made.path)),
        ("windows", f"{', '.join(map(str, made.windows))} samples"),
        ("memory", f"{made.arena / 1e6:.2f} MB, no heap"),
        ("weights", f"{made.constants / 1e6:.2f} MB"),
        ("operators", ", ".join(made.operators)),
        ("largest difference", made.difference or "not compared: no C compiler 'cc' on the path"),
    ]


def _fixed(path: Path, output: Path | None, lengths: list[float] | None, to: Target) -> list[tuple[str, str]]:
    from emovox.export import tensorrt
    from emovox.export.fixed_onnx import fixed_file, write

    chosen = lengths or [3.0]
    if len(chosen) > 1:
        raise typer.BadParameter("got several lengths, expected one for an ONNX file", param_hint="--seconds")
    made = fixed_file(path, output or Path(f"{path.stem}-{chosen[0]:g}s.onnx"), seconds=chosen[0])
    rows = _rows(made)
    if to == "tensorrt":
        tensorrt.check(made.proto, where=path)
        script = tensorrt.write_script(made.path, int8="QuantizeLinear" in made.operators)
        rows += [("TensorRT", f"all is listed for {tensorrt.support().version}"), ("engine", f"sh {script}")]
    write(made)
    return rows


def _rows(made: FixedFile) -> list[tuple[str, str]]:
    return [
        ("file", str(made.path)),
        ("input", f"samples [1, {made.samples}]"),
        ("operators", f"opset {made.opset}: {_counts(made.operators)}"),
        *((f"largest difference, {name}", f"{value:.1g}") for name, value in made.differences.items()),
    ]


def _any_length(folder: Path, output: Path | None) -> list[tuple[str, str]]:
    from emovox.export.network import trained_parity
    from emovox.export.source import write_trained

    model, path = write_trained(folder, output)
    found = trained_parity(model, path)
    return [*_described(path), *((f"largest difference, {length:g} s", f"{found[length]:.1g}") for length in found)]


def _refused(model: str) -> NoReturn:
    from emovox.runtime.registry import resolve
    from emovox.schema.errors import ExportError

    path = resolve(model).with_suffix(".onnx")
    raise ExportError(
        f"{path}: is an ONNX file for any length already, with its card beside it; copy both, or give --seconds 3 for "
        "a graph of fixed shapes"
    )


def _described(path: Path) -> list[tuple[str, str]]:
    import onnx

    proto = onnx.load(path)
    counts = Counter(node.op_type for node in proto.graph.node)
    operators = f"opset {proto.opset_import[0].version}: {_counts(counts)}"
    return [("file", str(path)), ("card", str(path.with_suffix(".json"))), ("operators", operators)]


def _counts(operators: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(operators.items()))


def _wasm(path: Path, output: Path | None) -> list[tuple[str, str]]:
    from emovox.export.wasm.files import write_wasm

    made = write_wasm(path, output)
    return [
        ("file", str(made.path)),
        ("lengths", f"{', '.join(f'{length:g}' for length in made.seconds)} s"),
        ("size", f"{made.size / 1e6:.2f} MB, {made.compressed / 1e6:.2f} MB by gzip"),
    ]


def _web(path: Path, output: Path | None) -> list[tuple[str, str]]:
    from emovox.export.web import write_web

    made = write_web(path, output)
    sizes = [(file, file.stat().st_size / 1e6) for file in made]
    return [("file", f"{file} ({size:.2f} MB)") for file, size in sizes]


def _lengths(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"'{text}', expected numbers, such as 3, or 1.5,3", param_hint="--seconds") from error
