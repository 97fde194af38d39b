"""Add the output `speech` to a finished ONNX file: the scores stay as they are, bit for bit."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxslim
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from emovox.export.onnx import OPSET, store_halves
from emovox.models.speech_map import SpeechMap
from emovox.runtime.golden import golden_input
from emovox.runtime.graph_check import SPEECH
from emovox.runtime.model import Model
from emovox.runtime.model_head import STATISTICS
from emovox.schema.card import METADATA_KEY, CardSpeech, ModelCard, embedded_card, encode_card
from emovox.schema.errors import ExportError
from emovox.schema.files import write_whole

PREFIX = "speech/"
"""Begins the names of all tensors that the map adds."""

SOURCE = "source"
"""Name of the input of the map alone."""

FRONT_END = "/encoder/front_end/"
"""Begins the names of the tensors of a small network's front end. The last join in it gives the frames [b, c, t]."""

PARITY = 1e-4
"""Largest difference of a probability of speech between graph and map: another order of float32 sums."""


class _Probability(nn.Module):
    """A map with its threshold moved to 0.5."""

    def __init__(self, inner: SpeechMap, threshold: float) -> None:
        super().__init__()
        self.inner, self.threshold = inner, threshold

    def forward(self, values: Tensor) -> Tensor:
        """Return probabilities [b]."""
        return torch.sigmoid(self.inner(values) - self.threshold)


def frames_name(graph: bytes) -> str:
    """Return the name of the tensor [b, c, t] with the frames of a small network's front end.

    Raises:
        ExportError: the graph has none, as that of a large encoder.
    """
    nodes = onnx.load_from_string(graph).graph.node
    found = [node.output[0] for node in nodes if node.op_type == "Concat" and node.output[0].startswith(FRONT_END)]
    if not found:
        raise ExportError(f"the graph has no join of features below '{FRONT_END}', expected that of a small network")
    return str(found[-1])


def add_speech(
    graph: bytes, card: ModelCard, speech_map: SpeechMap, *, threshold: float, kept: float, refused: float
) -> tuple[bytes, ModelCard]:
    """Return a graph with the output `speech` [batch], and its card.

    An earlier output `speech` is replaced. The nodes come last, so a head is found as before.

    Args:
        graph: bytes of the ONNX file.
        card: of this file.
        speech_map: gives logits, from the statistics or from the frames of the front end.
        threshold: logit below which a tile is not speech. In the graph it is moved to a probability of 0.5.
        kept: for the card, see `CardSpeech`.
        refused: for the card.
    """
    proto = _without_speech(onnx.load_from_string(graph))
    part = _traced(speech_map, threshold)
    _rename(part, source=STATISTICS if speech_map.pooling is None else frames_name(graph))
    proto.graph.node.extend(part.graph.node)
    proto.graph.initializer.extend(part.graph.initializer)
    proto.graph.output.append(helper.make_tensor_value_info(SPEECH, TensorProto.FLOAT, ["batch"]))
    card = msgspec.structs.replace(card, sha256="", speech=CardSpeech(0.5, kept, refused))
    for entry in proto.metadata_props:
        if entry.key == METADATA_KEY:
            entry.value = embedded_card(card)
    onnx.checker.check_model(proto)
    made = bytes(proto.SerializeToString())
    return made, msgspec.structs.replace(card, sha256=hashlib.sha256(made).hexdigest())


def write_with_speech(graph: bytes, card: ModelCard, folder: Path) -> Path:
    """Write a model, load it again, and return the path of its card."""
    path = folder / f"{card.name}.json"
    write_whole(path.with_suffix(".onnx"), graph, make_folder=True)
    write_whole(path, encode_card(card))
    Model.load(path)
    return path


def check_same(before: Path, after: Path, speech_map: SpeechMap, *, threshold: float) -> float:
    """Check that a model gives the same scores with the output `speech`, and what the map gives.

    Args:
        before: card of the model without it.
        after: card of the model with it.
        speech_map: the map.
        threshold: its logit.

    Returns:
        The largest difference of a probability of speech from that of the map; 0 where it takes frames.

    Raises:
        ExportError: a score or a statistic differs at all, or a probability by more than `PARITY`.
    """
    old, new = Model.load(before), Model.load(after)
    worst = 0.0
    for seconds in (0.5, 3.0, 4.5):
        samples = np.array(golden_input(seconds=seconds, sample_rate=new.card.sample_rate))
        batch = np.stack([samples, 0.1 * samples[::-1]])
        first, second = old.run(batch), new.run(batch)
        if not all(np.array_equal(one, other) for one, other in zip(first[:3], second[:3], strict=True)):
            raise ExportError(f"{after}: scores differ from those of {before}, expected the same bits")
        assert second.speech is not None
        if speech_map.pooling is None:
            with torch.no_grad():
                expected = torch.sigmoid(speech_map(torch.from_numpy(second.statistics)) - threshold).numpy()
            worst = max(worst, float(np.abs(second.speech - expected).max()))
    if worst > PARITY:
        raise ExportError(f"{after}: speech differs from that of the map by {worst:.2g}, expected at most {PARITY:g}")
    return worst


def _without_speech(proto: Any) -> Any:
    for field, name in ((proto.graph.node, "name"), (proto.graph.initializer, "name"), (proto.graph.output, "name")):
        kept = [one for one in field if not getattr(one, name).startswith(PREFIX) and getattr(one, name) != SPEECH]
        del field[:]
        field.extend(kept)
    return proto


def _traced(speech_map: SpeechMap, threshold: float) -> Any:
    pooling = speech_map.pooling
    example = torch.zeros(2, speech_map.width) if pooling is None else torch.zeros(2, pooling.channels, 50)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer is deprecated, see emovox.export.onnx
        torch.onnx.export(
            _Probability(speech_map, threshold).eval(),
            (example,),
            buffer,  # type: ignore[arg-type]  # it takes a file object
            dynamo=False,
            opset_version=OPSET,
            input_names=[SOURCE],
            output_names=[SPEECH],
            dynamic_axes={SOURCE: {0: "batch"} if pooling is None else {0: "batch", 2: "t"}, SPEECH: {0: "batch"}},
        )
    # fusion would fold weights, and they would lose half precision
    part = onnxslim.slim(onnx.load_from_string(buffer.getvalue()), skip_optimizations=["graph_fusion"])
    store_halves(part)
    return part


def _rename(part: Any, *, source: str) -> None:
    """Rename all tensors and nodes of the part so that they meet no name of the graph, and its input to `source`."""
    short: dict[str, str] = {"": "", SPEECH: SPEECH, SOURCE: source}

    def renamed(name: str) -> str:
        return short.setdefault(name, f"{PREFIX}{len(short)}")  # the tracer's names would be half of the part

    for number, node in enumerate(part.graph.node):
        node.name = f"{PREFIX}{number}"
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
    for tensor in part.graph.initializer:
        tensor.name = renamed(tensor.name)
