"""A model as two graphs of fixed shapes: from samples to statistics, and from statistics to scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import onnxslim
from onnx import helper, shape_inference

from emovox.runtime.graph_check import INPUT, SPEECH
from emovox.runtime.graph_file import cut_graph
from emovox.runtime.model_head import SPEAKER_INPUTS, STATISTICS
from emovox.runtime.registry import read_card, read_part
from emovox.schema.card import ModelCard
from emovox.schema.errors import ExportError

WINDOW = 3.0
"""Length in seconds of the input of a graph of fixed shapes: about one tile."""

SCORES = "scores"


class FixedGraphs(NamedTuple):
    """The two halves of a model; all shapes are constants, and all weights are float32.

    Attributes:
        card: the card of the model.
        samples: length n of the input, in samples.
        statistics: graph from `samples` [1, n] to `statistics` [1, p] and other tensors, by default, if the card has
            `speech`, to `speech` [1].
        scores: graph from `statistics`, `speaker_mean` and `speaker_scale`, [1, p] each, to `scores` [1, labels].
        mean, scale: the training set's `speaker_mean` and `speaker_scale`, tensors [1, p].
    """

    card: ModelCard
    samples: int
    statistics: Any
    scores: Any
    mean: Any
    scale: Any


def fixed_graphs(path: Path, *, seconds: float = WINDOW, outputs: Sequence[str] = ()) -> FixedGraphs:
    """Return the two graphs of a model for input of one length.

    Args:
        path: path of the model's card or graph.
        seconds: length of the input, from `shortest` to `longest` of the card.
        outputs: tensors that the first graph gives; none: those of `encoder_outputs`.

    Raises:
        CardError: the model cannot be read.
        ExportError: it is a head alone, does not take this length, or keeps shapes that depend on its input.
    """
    card = read_card(path.with_suffix(".json"))
    if card.encoder is not None:
        raise ExportError(f"{path}: '{card.name}' is a head alone, expected a whole model such as mobile")
    check_length(card, seconds)
    graph, n = read_part(path.with_suffix(".onnx")), round(seconds * card.sample_rate)
    whole = onnx.load_from_string(graph)
    arrays = {tensor.name: tensor for tensor in whole.graph.initializer}
    try:
        mean, scale = (arrays[name] for name in SPEAKER_INPUTS)
        head = onnx.load_from_string(cut_graph(graph, source=STATISTICS, inputs=SPEAKER_INPUTS, outputs=[SCORES]))
    except (KeyError, ValueError) as error:
        raise ExportError(f"{path}: the graph has no head ({error}), expected a model of emovox") from error
    width = list(mean.dims)
    shapes = {STATISTICS: width, **dict.fromkeys(SPEAKER_INPUTS, width)}
    return FixedGraphs(
        card,
        n,
        statistics=fixed(whole, {INPUT: [1, n]}, outputs or encoder_outputs(card), where=path),
        scores=fixed(head, shapes, [SCORES], where=path),
        mean=mean,
        scale=scale,
    )


def encoder_outputs(card: ModelCard) -> list[str]:
    """Return the names of what a model computes before its head."""
    return [STATISTICS] if card.speech is None else [STATISTICS, SPEECH]


def speech_source(proto: Any) -> str:
    """Return the name of the tensor from which a graph computes `speech`, and on the way to which no node is shared.

    Args:
        proto: a `ModelProto` with both outputs, `statistics` and `speech`.

    Raises:
        ExportError: `speech` depends on several tensors.
    """
    known = _needed(proto, STATISTICS)
    made = {name for number in known for name in proto.graph.node[number].output}
    own = _needed(proto, SPEECH) - known
    read = {name for number in own for name in proto.graph.node[number].input} & made
    if len(read) != 1:
        raise ExportError(f"'{SPEECH}' is computed from {sorted(read)}, expected one tensor; export the model again")
    return str(read.pop())


def _needed(proto: Any, output: str) -> set[int]:
    """Return the numbers of the nodes that an output depends on."""
    wanted, found = {output}, set()
    for number in reversed(range(len(proto.graph.node))):
        node = proto.graph.node[number]
        if not wanted.isdisjoint(node.output):
            found.add(number)
            wanted.update(node.input)
    return found


def check_length(card: ModelCard, seconds: float) -> None:
    """Raise an error unless a model takes input of this length.

    Raises:
        ExportError: it does not.
    """
    if not card.shortest <= seconds <= card.longest:
        raise ExportError(
            f"seconds is {seconds:g}, model '{card.name}' takes {card.shortest:g} to {card.longest:g} seconds"
        )


def fixed(proto: Any, shapes: dict[str, list[int]], outputs: Sequence[str], *, where: Path, fuse: bool = False) -> Any:
    """Return what computes some outputs of a graph, with the shapes of its inputs fixed and all constants computed.

    Args:
        proto: a `ModelProto`, which stays as it is.
        shapes: shape of each input that remains; all other inputs become constants.
        outputs: names of the outputs that remain, or of float32 tensors inside.
        where: file of the graph, for messages.
        fuse: whether batch norm is folded into weights. They then fit halves no more.

    Raises:
        ExportError: a shape depends on the values of the input.
    """
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    graph = made.graph
    _keep(graph.input, [value for value in graph.input if value.name in shapes])
    inside = [name for name in outputs if name not in {value.name for value in graph.output}]
    graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in inside)
    _keep(graph.output, [value for value in graph.output if value.name in outputs])
    _keep(graph.initializer, [tensor for tensor in graph.initializer if tensor.name not in shapes])
    for value in graph.input:
        value.CopyFrom(helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, shapes[value.name]))
    graph.ClearField("value_info")
    made.ClearField("metadata_props")
    skipped = [] if fuse else ["graph_fusion"]
    made = shape_inference.infer_shapes(onnxslim.slim(made, skip_optimizations=skipped), data_prop=True)
    known = {value.name for value in [*made.graph.value_info, *made.graph.output] if _is_fixed(value)}
    for node in made.graph.node:
        for name in node.output:
            if name and name not in known:
                raise ExportError(
                    f"{where}: the shape of '{name}', from {node.op_type}, depends on the input; expected a graph "
                    "whose shapes follow from the length of its input"
                )
    return made


def _is_fixed(value: Any) -> bool:
    kind = value.type.tensor_type
    return kind.HasField("shape") and all(size.HasField("dim_value") for size in kind.shape.dim)


def _keep(field: Any, values: list[Any]) -> None:
    copies = [type(value).FromString(value.SerializeToString()) for value in values]
    del field[:]
    field.extend(copies)
