"""Write the C file of a model, and compare it with ONNX Runtime."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from emovox.export.c.compiled import Compiled, check_inputs, compiler, largest_differences
from emovox.export.c.writer import c_source
from emovox.export.fixed import WINDOW, FixedGraphs, fixed_graphs
from emovox.export.output import check_output
from emovox.runtime.model import Model
from emovox.schema.errors import ExportError
from emovox.schema.files import replacing

PARITY = {"half": 1e-5, "int8": 0.1}
"""Largest difference of scores, and of the probability of speech, from ONNX Runtime, by how the weights are stored."""


_WORDS = {"statistics": "a statistic", "scores": "a score", "speech": "the probability of speech"}


class CFiles(NamedTuple):
    """A model in C.

    Attributes:
        path: of the .c file; the header .h is beside it.
        windows: their lengths in samples.
        arena: bytes of the static block.
        constants: bytes of all constants.
        operators: operators of both graphs.
        difference: largest differences from ONNX Runtime, in words; "" if there is no compiler.
    """

    path: Path
    windows: tuple[int, ...]
    arena: int
    constants: int
    operators: list[str]
    difference: str


def write_c(
    path: Path, output: Path | None = None, *, seconds: Sequence[float] = (WINDOW,), store: str = "half"
) -> CFiles:
    """Write a model as one C99 file and its header; names in them begin with the name of the file.

    Args:
        path: path of the model's card or graph.
        output: path of the new .c file; None: the name of the model, in the current folder.
        seconds: lengths of the windows.
        store: how large matrices are stored, a name in `emovox.export.c.weights.STORES`.

    Raises:
        ExportError: an operator has no C code, the name is none of C, or the compiled file gives other scores.
        CardError: the model cannot be read.
        ConfigError: the files cannot be written.
    """
    windows = [fixed_graphs(path, seconds=length) for length in sorted(set(seconds))]
    output = output or Path(re.sub(r"\W", "_", windows[0].card.name, flags=re.ASCII) + ".c")
    if output.suffix != ".c" or not re.fullmatch(r"[A-Za-z]\w*", output.stem, re.ASCII):
        raise ExportError(f"output is '{output}', expected NAME.c, where NAME has letters, digits and _ alone")
    for file in (output, output.with_suffix(".h")):
        check_output(file)
    source = c_source(windows, name=output.stem, where=path, store=store)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / output.name
        draft.write_text(source.code)
        draft.with_suffix(".h").write_text(source.header)
        difference = _compared(draft, windows, path, limit=PARITY[store]) if compiler() else ""
    with replacing(output) as code, replacing(output.with_suffix(".h")) as header:
        code.write(source.code.encode())
        header.write(source.header.encode())
    graphs = (windows[0].statistics, windows[0].scores)
    operators = sorted({node.op_type for one in graphs for node in one.graph.node})
    lengths = tuple(one.samples for one in windows)
    return CFiles(output, lengths, source.arena, source.constants, operators, difference)


def _compared(draft: Path, windows: Sequence[FixedGraphs], path: Path, *, limit: float) -> str:
    compiled, inputs = Compiled(draft, windows[0]), [one for graphs in windows for one in check_inputs(graphs)]
    found = largest_differences(compiled, Model.load(path), inputs)
    for name in ("scores", "speech"):
        if not found.get(name, 0.0) <= limit:
            raise ExportError(
                f"{path}: {name} of C and ONNX Runtime differ by {found[name]:.2g}, expected at most {limit:g}; this "
                "is an error of emovox: please report it with the model"
            )
    return ", ".join(f"{value:.1g} of {_WORDS[name]}" for name, value in found.items())
