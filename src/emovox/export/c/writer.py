"""Write the C file of a model and its header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from onnx import numpy_helper

from emovox.export.c.elementwise import ELEMENTWISE
from emovox.export.c.graph import Handler, Lowering, in_depth
from emovox.export.c.loops import literal
from emovox.export.c.moves import MOVES
from emovox.export.c.products import PRODUCTS
from emovox.export.c.program import KERNELS, Function, Program, argument
from emovox.export.c.recurrent import RECURRENT
from emovox.export.c.reductions import REDUCTIONS
from emovox.export.c.tensor import Tensor
from emovox.export.c.weights import array_text
from emovox.export.fixed import SCORES, FixedGraphs
from emovox.runtime.graph_check import INPUT, SPEECH
from emovox.runtime.model_head import SPEAKER_INPUTS, STATISTICS

HANDLERS: Mapping[str, Handler] = {**ELEMENTWISE, **MOVES, **REDUCTIONS, **PRODUCTS, **RECURRENT}
"""What lowers a node, by operator."""


class Source(NamedTuple):
    """A C file and its header.

    Attributes:
        code, header: their text.
        arena: size in bytes of the static block.
        constants: size in bytes of all constants.
    """

    code: str
    header: str
    arena: int
    constants: int


def c_source(windows: Sequence[FixedGraphs], *, name: str, where: Path, store: str = "half") -> Source:
    """Return the C of a model.

    Args:
        windows: its fixed graphs, one pair for each length of the input; their weights are stored once.
        name: begins all names of the header, a name of C.
        where: file of the model, for messages.
        store: how large matrices are stored, a name in `emovox.export.c.weights.STORES`.

    Raises:
        ExportError: an operator has no C code; the message names it and its layer.
    """
    program, first = Program(store=store), windows[0]
    p, labels = first.mean.dims[1], len(first.card.labels)
    wide = {key: argument(key.removeprefix("speaker_"), [1, p]) for key in (STATISTICS, *SPEAKER_INPUTS)}
    sizes, functions = [], []
    for graphs in windows:
        given = {
            INPUT: argument(INPUT, [1, graphs.samples]),
            STATISTICS: wide[STATISTICS],
            SPEECH: argument(SPEECH, [1]),
        }
        body, size = lowered(program, graphs.statistics, given, where=where).text()
        heard = f"const float samples[{graphs.samples}], float statistics[{p}]{_told(first)}"
        functions.append(f"static {function_text(f'statistics_{graphs.samples}({heard})', body)}")
        sizes.append(size)
    given = {**wide, SCORES: argument(SCORES, [1, labels])}
    body, size = lowered(program, first.scores, given, where=where).text()
    known = f"const float statistics[{p}], const float mean[{p}], const float scale[{p}]"
    fields = _with_speech(_fields(windows, name, arena=max(size, *sizes)), first)
    parts = [
        opening(fields),
        program.text(),
        array_text(f"{name}_mean", "FLOATS", numpy_helper.to_array(first.mean)).removeprefix("static "),
        array_text(f"{name}_scale", "FLOATS", numpy_helper.to_array(first.scale)).removeprefix("static "),
        *functions,
        function_text(f"{name}_scores({known}, float scores[{labels}])", body),
        _template("closing.c", fields),
    ]
    return Source("\n\n".join(parts), _template("header.h", fields), fields["bytes"], program.size + 8 * p)


def lowered(
    program: Program, proto: Any, arguments: Mapping[str, Tensor], *, where: Path, as_given: bool = False
) -> Function:
    """Return the C function of a fixed graph.

    Args:
        program: the file that it belongs to.
        proto: the graph.
        arguments: tensor of each input and each output.
        where: file of the model, for messages.
        as_given: whether the nodes keep their order; else it is one that needs little memory, and depends on sizes.
    """
    nodes = list(proto.graph.node) if as_given else in_depth(proto)
    return Lowering(program, proto, arguments, where=where).run(nodes, HANDLERS)


def function_text(signature: str, body: str) -> str:
    """Return the definition of a function without a result."""
    return f"void {signature}\n{{\n{body}\n}}"


def _fields(windows: Sequence[FixedGraphs], name: str, *, arena: int) -> dict[str, Any]:
    card = windows[0].card
    lengths = [graphs.samples for graphs in windows]
    given = "samples, statistics" if card.speech is None else "samples, statistics, speech"
    calls = [f"    case {n}:\n        statistics_{n}({given});\n        break;" for n in lengths]
    return {
        "name": name,
        "NAME": name.upper(),
        "model": card.name,
        "rate": card.sample_rate,
        "windows": len(lengths),
        "lengths": ", ".join(map(str, lengths)),
        "longest": max(lengths),
        "cases": "\n".join(calls),
        "statistics": windows[0].mean.dims[1],
        "labels": len(card.labels),
        "label_names": ", ".join(f'"{label}"' for label in card.labels),
        "licence": card.licence,
        "arena": arena,
        "bytes": 4 * arena,
    }


def _told(graphs: FixedGraphs) -> str:
    """Return the last parameter of what tells the probability of speech."""
    return "" if graphs.card.speech is None else ", float *speech"


def _with_speech(fields: dict[str, Any], graphs: FixedGraphs) -> dict[str, Any]:
    """Return the fields with those of a model that tells speech from other sounds."""
    speech = graphs.card.speech
    if speech is None:
        return {**fields, "entry": STATISTICS, "told": "", "speech_code": "", "speech_header": ""}
    fields = {**fields, "entry": "hear", "told": _told(graphs), "threshold": literal(speech.threshold)}
    return {**fields, "speech_code": _template("speech.c", fields), "speech_header": _template("speech.h", fields)}


def opening(fields: Mapping[str, Any]) -> str:
    """Return the first lines of a C file; `fields` has its `name`, `model` and `arena` in floats."""
    return _template("opening.c", fields)


def _template(file: str, fields: Mapping[str, Any]) -> str:
    return Template((KERNELS / file).read_text()).substitute(fields)
