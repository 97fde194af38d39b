"""Write the C that becomes the WebAssembly file: a model at each length of a tile, and what finds speech."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import msgspec
from onnx import numpy_helper

from emovox.adaptation.estimator import Numbers
from emovox.adaptation.parameters import from_arrays
from emovox.export.c.program import Function, Program, argument
from emovox.export.c.weights import array_text
from emovox.export.c.writer import lowered
from emovox.export.fixed import SCORES, FixedGraphs, fixed, fixed_graphs
from emovox.export.wasm.speech import ANSWER, CHUNK, CHUNK_INPUT, STATE, STATE_INPUT, speech_step
from emovox.runtime.graph_check import INPUT
from emovox.runtime.graph_file import read_initialiser
from emovox.runtime.model_head import SPEAKER_INPUTS, STATISTICS
from emovox.runtime.registry import read_part
from emovox.runtime.segmenter import SegmenterConfig
from emovox.runtime.speech_network import SHA256
from emovox.schema.card import ModelCard

FORMAT = 1
"""Version of the exports and the description; `description.ts` of the page's package has the same."""

STORE = "wire"
"""Weights in 8 bits: with halves the file is a third larger over the wire, and the labels are the same."""

_INCLUDES = ("float.h", "math.h", "stddef.h", "stdint.h", "string.h")
_ENCODER = "const float *samples, float *statistics"
_HEAD = "const float *statistics, const float *mean, const float *scale, float *scores"
_SPEECH = "const float *chunk, const float *state, float *answer"
_ENTRY = Path(__file__).parent / "entry.c"


class WasmSource(NamedTuple):
    """What a WebAssembly file is made of.

    Attributes:
        code: text of the C file.
        description: what the file says of itself: the model's card, and its parameters for adaptation.
    """

    code: str
    description: dict[str, Any]


def tile_lengths(card: ModelCard) -> list[int]:
    """Return the lengths of tiles in samples: multiples of half a second, up to one and a half windows."""
    step = SegmenterConfig().rounding
    longest = math.floor(1.5 * card.window / step)
    return [round(count * step * card.sample_rate) for count in range(1, longest + 1)]


def wasm_source(path: Path, card: ModelCard) -> WasmSource:
    """Return the C of a model for a page.

    Args:
        path: of its card or graph.
        card: its card.

    Raises:
        ExportError: the model is a head alone, or an operator has no C code.
    """
    program = Program(store=STORE)
    lengths = tile_lengths(card)
    graphs = [fixed_graphs(path, seconds=length / card.sample_rate) for length in lengths]
    p, labels = graphs[0].mean.dims[1], len(card.labels)
    made = {
        **{f"statistics_{one.samples}({_ENCODER})": _encoder(program, one, path) for one in graphs},
        f"score({_HEAD})": _head(program, graphs[0], path),
        f"speech({_SPEECH})": _speech(program),
    }
    bodies = {signature: function.text() for signature, function in made.items()}
    arena = max(size for _, size in bodies.values())
    entry = Template(_ENTRY.read_text()).substitute(
        longest=lengths[-1],
        statistics=p,
        labels=labels,
        chunk=CHUNK,
        state=STATE,
        cases="\n".join(_case(length) for length in lengths),
    )
    parts = [
        "\n".join(f"#include <{name}>" for name in _INCLUDES),
        f"static float arena[{arena}];",
        program.text(),
        array_text("default_mean", "FLOATS", numpy_helper.to_array(graphs[0].mean)),
        array_text("default_scale", "FLOATS", numpy_helper.to_array(graphs[0].scale)),
        *(f"static void {signature}\n{{\n{body}\n}}" for signature, (body, _) in bodies.items()),
        entry,
    ]
    return WasmSource("\n\n".join(parts), _description(path, card, lengths=lengths, p=p))


def _encoder(program: Program, graphs: FixedGraphs, where: Path) -> Function:
    arguments = {
        INPUT: argument("samples", [1, graphs.samples]),
        STATISTICS: argument("statistics", [1, graphs.mean.dims[1]]),
    }
    return lowered(program, graphs.statistics, arguments, where=where)


def _head(program: Program, graphs: FixedGraphs, where: Path) -> Function:
    wide = {name: argument(name.removeprefix("speaker_"), graphs.mean.dims) for name in (STATISTICS, *SPEAKER_INPUTS)}
    scores = argument("scores", [1, len(graphs.card.labels)])
    return lowered(program, graphs.scores, {**wide, SCORES: scores}, where=where)


def _speech(program: Program) -> Function:
    shapes = {CHUNK_INPUT: [1, CHUNK], STATE_INPUT: [1, STATE]}
    where = Path("the network that finds speech")
    graph = fixed(speech_step(), shapes, ANSWER, where=where)
    arguments = {name: argument(name, shape) for name, shape in {**shapes, ANSWER: [1, 1 + STATE]}.items()}
    return lowered(program, graph, arguments, where=where)


def _case(length: int) -> str:
    return f"    case {length}:\n        statistics_{length}(samples, statistics);\n        break;"


def _description(path: Path, card: ModelCard, *, lengths: list[int], p: int) -> dict[str, Any]:
    names = ("name", "version", "description", "labels", "threshold", "window", "hop", "parameters", "licence")
    known = {name: getattr(card, name) for name in (*names, "licence_risk", "sha256", "adaptable")}
    figures = [
        {name: getattr(figure, name) for name in ("corpus", "protocol", "metric", "value", "low", "high")}
        for figure in card.figures
    ]
    shortest = lengths[0] / card.sample_rate
    return {
        "format": FORMAT,
        "card": msgspec.to_builtins({**known, "shortest": shortest, "figures": figures}),
        "statistics": p,
        "lengths": lengths,
        "adaptation": _adaptation(read_part(path.with_suffix(".onnx")), p) if card.adaptable else None,
        "speech_sha256": SHA256,
    }


def _adaptation(graph: bytes, p: int) -> dict[str, Any]:
    found = from_arrays(partial(read_initialiser, graph), n_statistics=p)
    gate = {name: _short(getattr(found.gate, name), 7) for name in ("mean", "scale", "weights")}
    matrices = {name: _short(getattr(found, name), 7) for name in ("apart", "within")}
    matrices["axes"] = _short(found.axes, 3)  # halves
    return {**matrices, "variance": found.variance, "gate": {**gate, "bias": found.gate.bias}}


def _short(values: Numbers, digits: int) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in values.ravel()]
