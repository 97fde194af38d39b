"""Write the C that becomes the WebAssembly file: a model at each length of a tile, and what finds speech."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import onnx
from onnx import numpy_helper

from emovox.export.c.program import Computed, Function, Program, argument
from emovox.export.c.weights import array_text
from emovox.export.c.writer import lowered
from emovox.export.fixed import SCORES, FixedGraphs, fixed, fixed_graphs, speech_source
from emovox.export.wasm.description import description, tile_lengths
from emovox.export.wasm.lengths import joined
from emovox.export.wasm.speech import ANSWER, BASIS, CHUNK, CHUNK_INPUT, STATE, STATE_INPUT, basis, speech_step
from emovox.runtime.graph_check import INPUT, SPEECH
from emovox.runtime.graph_file import cut_graph
from emovox.runtime.model_head import SPEAKER_INPUTS, STATISTICS
from emovox.runtime.registry import read_part
from emovox.schema.card import ModelCard

STORE = "wire"
"""Weights in 8 bits: with halves the file is a third larger over the wire, and the labels are the same."""

CLASSES = 4
"""Functions, each for every fourth length: the network halves the number of frames again and again."""

_INCLUDES = ("float.h", "math.h", "stddef.h", "stdint.h", "string.h")
_ENCODER = "const float *samples, float *statistics, float *frames, int m"
_TOLD = "const float *frames, float *told, int m"
_HEAD = "const float *statistics, const float *mean, const float *scale, float *scores"
_SPEECH = "const float *chunk, const float *state, float *answer"
_ENTRY, _BASIS = (Path(__file__).parent / name for name in ("entry.c", "basis.c"))


class WasmSource(NamedTuple):
    """What a WebAssembly file is made of.

    Attributes:
        code: text of the C file.
        description: what the file says of itself: the model's card, and its parameters for adaptation.
    """

    code: str
    description: dict[str, Any]


def wasm_source(path: Path, card: ModelCard) -> WasmSource:
    """Return the C of a model for a page.

    Args:
        path: of its card or graph.
        card: its card.

    Raises:
        ExportError: the model is a head alone, or an operator has no C code.
    """
    program = Program(store=STORE, computed=[Computed(BASIS, basis())])
    lengths = tile_lengths(card)
    classes = [lengths[first::CLASSES] for first in range(CLASSES)]
    graphs = fixed_graphs(path, seconds=lengths[0] / card.sample_rate)
    p, labels = graphs.mean.dims[1], len(card.labels)
    source = STATISTICS if card.speech is None else speech_source(onnx.load_from_string(read_part(_graph(path))))
    encoders = enumerate(_encoder(program, path, of, card, source=source) for of in classes)
    bodies = {f"statistics_{number}({_ENCODER})": encoder for number, encoder in encoders}
    if card.speech is not None:
        bodies[f"tell({_TOLD})"] = _told(program, path, lengths, card, source=source)
    bodies[f"score({_HEAD})"] = _head(program, graphs, path).text()
    bodies[f"speech({_SPEECH})"] = _speech(program).text()
    arena = max(size for _, size in bodies.values())
    entry = Template(_ENTRY.read_text()).substitute(
        shortest=lengths[0],
        longest=lengths[-1],
        grid=lengths[1] - lengths[0],
        classes=CLASSES,
        statistics=p,
        frames=math.prod(_shape(fixed_graphs(path, seconds=lengths[-1] / card.sample_rate, outputs=[source]), source)),
        tell=f"tell({'statistics' if source == STATISTICS else 'frames'}, told, step);" if card.speech else "",
        labels=labels,
        chunk=CHUNK,
        state=STATE,
        cases="\n".join(_case(number) for number in range(CLASSES)),
    )
    parts = [
        "\n".join(f"#include <{name}>" for name in _INCLUDES),
        f"static float arena[{arena}];",
        _BASIS.read_text(),
        program.text(),
        array_text("default_mean", "FLOATS", numpy_helper.to_array(graphs.mean)),
        array_text("default_scale", "FLOATS", numpy_helper.to_array(graphs.scale)),
        *(f"static void {signature}\n{{\n{body}\n}}" for signature, (body, _) in bodies.items()),
        entry,
    ]
    return WasmSource("\n\n".join(parts), description(path, card, lengths=lengths, p=p))


def _encoder(program: Program, where: Path, lengths: Sequence[int], card: ModelCard, *, source: str) -> tuple[str, int]:
    """Return one function for these lengths, and the floats of its static block; `source` is a second output."""
    places, functions = _places(lengths), []
    for place in places:
        graphs = fixed_graphs(where, seconds=lengths[place] / card.sample_rate, outputs=[STATISTICS, source])
        arguments = {
            INPUT: argument("samples", [1, graphs.samples]),
            source: argument("frames", _shape(graphs, source)),
            STATISTICS: argument("statistics", [1, graphs.mean.dims[1]]),
        }
        functions.append(lowered(program, graphs.statistics, arguments, where=where))
    return joined(program, functions, places, where=where)


def _told(program: Program, where: Path, lengths: Sequence[int], card: ModelCard, *, source: str) -> tuple[str, int]:
    """Return one function for these lengths, from the frames to the probability of speech."""
    whole = read_part(_graph(where))
    part = onnx.load_from_string(cut_graph(whole, source=source, inputs=[], outputs=[SPEECH]))
    places, functions = _places(lengths), []
    for place in places:
        shape = _shape(fixed_graphs(where, seconds=lengths[place] / card.sample_rate, outputs=[source]), source)
        arguments = {source: argument("frames", shape), SPEECH: argument("told", [1])}
        graph = fixed(part, {source: shape}, [SPEECH], where=where)
        functions.append(lowered(program, graph, arguments, where=where, as_given=True))
    return joined(program, functions, places, where=where)


def _places(lengths: Sequence[int]) -> list[int]:
    """Return the numbers of a few lengths, from which the function for all is made."""
    return sorted({0, 1, len(lengths) // 2, len(lengths) - 1})


def _shape(graphs: FixedGraphs, name: str) -> list[int]:
    """Return the shape of an output of the first graph."""
    (found,) = (value for value in graphs.statistics.graph.output if value.name == name)
    return [size.dim_value for size in found.type.tensor_type.shape.dim]


def _graph(path: Path) -> Path:
    return path.with_suffix(".onnx")


def _head(program: Program, graphs: FixedGraphs, where: Path) -> Function:
    wide = {name: argument(name.removeprefix("speaker_"), graphs.mean.dims) for name in (STATISTICS, *SPEAKER_INPUTS)}
    scores = argument("scores", [1, len(graphs.card.labels)])
    return lowered(program, graphs.scores, {**wide, SCORES: scores}, where=where)


def _speech(program: Program) -> Function:
    shapes = {CHUNK_INPUT: [1, CHUNK], STATE_INPUT: [1, STATE]}
    where = Path("the network that finds speech")
    graph = fixed(speech_step(), shapes, [ANSWER], where=where)
    arguments = {name: argument(name, shape) for name, shape in {**shapes, ANSWER: [1, 1 + STATE]}.items()}
    return lowered(program, graph, arguments, where=where)


def _case(number: int) -> str:
    call = f"statistics_{number}(samples, statistics, frames, step / {CLASSES});"
    return f"    case {number}:\n        {call}\n        break;"
