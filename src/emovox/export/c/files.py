"""Write the C file of a model, and compare it with ONNX Runtime."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from emovox.export.c.compiled import Compiled, check_inputs, compiler, largest_differences
from emovox.export.c.writer import c_source
from emovox.export.fixed import WINDOW, FixedGraphs, fixed_graphs
from emovox.runtime.model import Model
from emovox.schema.errors import ExportError
from emovox.schema.files import replacing

PARITY = {"half": 1e-5, "int8": 0.1}
"""Largest difference of a score between C and ONNX Runtime, by how the weights are stored."""


class CFiles(NamedTuple):
    """A model in C.

    Attributes:
        path: of the .c file; the header .h is beside it.
        samples: length of the window.
        arena: bytes of the static block.
        constants: bytes of all constants.
        operators: operators of both graphs.
        difference: largest differences from ONNX Runtime, in words; "" if there is no compiler.
    """

    path: Path
    samples: int
    arena: int
    constants: int
    operators: list[str]
    difference: str


def write_c(path: Path, output: Path | None = None, *, seconds: float = WINDOW, store: str = "half") -> CFiles:
    """Write a model as one C99 file and its header; names in them begin with the name of the file.

    Args:
        path: path of the model's card or graph.
        output: path of the new .c file; None: the name of the model, in the current folder.
        seconds: length of the window.
        store: how large matrices are stored, a name in `emovox.export.c.weights.STORES`.

    Raises:
        ExportError: an operator has no C code, the name is none of C, or the compiled file gives other scores.
        CardError: the model cannot be read.
    """
    graphs = fixed_graphs(path, seconds=seconds)
    output = output or Path(re.sub(r"\W", "_", graphs.card.name, flags=re.ASCII) + ".c")
    if output.suffix != ".c" or not re.fullmatch(r"[A-Za-z]\w*", output.stem, re.ASCII):
        raise ExportError(f"output is '{output}', expected NAME.c, where NAME has letters, digits and _ alone")
    source = c_source(graphs, name=output.stem, where=path, store=store)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / output.name
        draft.write_text(source.code)
        draft.with_suffix(".h").write_text(source.header)
        difference = _compared(draft, graphs, path, limit=PARITY[store]) if compiler() else ""
    with replacing(output) as code, replacing(output.with_suffix(".h")) as header:
        code.write(source.code.encode())
        header.write(source.header.encode())
    operators = sorted({node.op_type for graph in (graphs.statistics, graphs.scores) for node in graph.graph.node})
    return CFiles(output, graphs.samples, source.arena, source.constants, operators, difference)


def _compared(draft: Path, graphs: FixedGraphs, path: Path, *, limit: float) -> str:
    statistics, scores = largest_differences(Compiled(draft, graphs), Model.load(path), check_inputs(graphs))
    if not scores <= limit:
        raise ExportError(
            f"{path}: scores of C and ONNX Runtime differ by {scores:.2g}, expected at most {limit:g}; this is an "
            "error of emovox: please report it with the model"
        )
    return f"{statistics:.1g} of a statistic, {scores:.1g} of a score"
