"""A model: the ONNX graph from waveform to scores and its card, checked against each other."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import onnxruntime

from emovox.audio.types import Samples
from emovox.runtime.registry import read_card, read_part
from emovox.schema.card import METADATA_KEY, ModelCard, embedded_card
from emovox.schema.errors import CardError, ModelError

INPUT = "samples"
OUTPUTS = ("scores", "embedding", "statistics")
SPEAKER_INPUTS = ("speaker_mean", "speaker_scale")
"""Initialisers that are inputs too: a speaker profile may put its own in their place."""

_ERRORS_ONLY = 3
"""Log level of the session: overridable initialisers are wanted here, and ONNX Runtime warns about each at load."""


_ROUNDING = 1e-3
"""Probabilities of quantised graphs may lie beyond 0 and 1 by so much."""


class Outputs(NamedTuple):
    """What the graph gives for samples [batch, n].

    scores [batch, labels] probabilities; embedding [batch, d]; statistics [batch, p].
    """

    scores: Samples
    embedding: Samples
    statistics: Samples


class Model:
    """A loaded graph with its card; stateless, so any number of threads and streams share one.

    Args:
        session: an ONNX Runtime session over the graph.
        card: the card that belongs to it.
        size: bytes of the graph file.
    """

    def __init__(self, session: Any, card: ModelCard, *, size: int) -> None:
        self.card = card
        self.size = size
        self._session = session

    @classmethod
    def load(cls, path: Path, *, threads: int = 1) -> Model:
        """Read `<name>.json` and `<name>.onnx` beside it, and check that they belong together.

        The golden vector is not run here (it would cost an inference at every start): see `emovox.runtime.golden`.

        Args:
            path: the card or the graph; the other lies beside it under the same name.
            threads: threads that one call of `run` may use, >= 1.

        Raises:
            CardError: file missing, not a card, or hash, labels, inputs, outputs or embedded card contradict the graph.
            ModelError: `threads` below 1.
        """
        if threads < 1:
            raise ModelError(f"threads is {threads}, expected at least 1")
        card_path, graph_path = path.with_suffix(".json"), path.with_suffix(".onnx")
        card = read_card(card_path)
        graph = read_part(graph_path)
        digest = hashlib.sha256(graph).hexdigest()
        if digest != card.sha256:
            raise CardError(
                f"{graph_path}: sha256 is {digest[:12]}…, its card expects {card.sha256[:12]}…; "
                "the two files do not belong together: copy both from the same source"
            )
        session = _session(graph, threads=threads, where=graph_path)
        _check_graph(session, card, where=graph_path)
        return cls(session, card, size=len(graph))

    def run(self, batch: Samples) -> Outputs:
        """Score recordings of equal length.

        Args:
            batch: [batch, n] float32 at the card's sample rate, in [-1, 1]; n from the card's `shortest` to `longest`.

        Returns:
            Scores, embedding and statistics, one row a recording.

        Raises:
            ModelError: wrong shape, type or length, or the graph failed or gave anything but probabilities.
        """
        self._check_batch(batch)
        try:
            outputs = Outputs(*self._session.run(list(OUTPUTS), {INPUT: batch}))
        except Exception as error:  # ONNX Runtime's own exceptions have no common class below Exception
            raise ModelError(f"model '{self.card.name}' failed ({_line(error)}); export the model again") from error
        expected = (len(batch), len(self.card.labels))
        if outputs.scores.shape != expected or not (np.abs(outputs.scores - 0.5) <= 0.5 + _ROUNDING).all():
            raise ModelError(
                f"model '{self.card.name}' gave scores that are no probabilities {list(expected)}: "
                f"{outputs.scores.ravel()[:3]} …; run its golden vector"
            )
        return outputs

    def _check_batch(self, batch: Samples) -> None:
        if batch.ndim != 2 or batch.dtype != np.float32:
            raise ModelError(f"batch is {batch.dtype} of shape {list(batch.shape)}, expected float32 [batch, n]")
        rate = self.card.sample_rate
        shortest, longest = round(self.card.shortest * rate), round(self.card.longest * rate)
        if not shortest <= batch.shape[1] <= longest:
            raise ModelError(
                f"input has {batch.shape[1]} samples, model '{self.card.name}' takes {shortest} to {longest} "
                f"at {rate} Hz; use predict or a stream, which cut recordings to length"
            )


def _session(graph: bytes, *, threads: int, where: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions have no common class below Exception
        raise CardError(
            f"{where}: ONNX Runtime cannot load this graph ({_line(error)}); export the model again"
        ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _check_graph(session: Any, card: ModelCard, *, where: Path) -> None:
    inputs = {node.name: node for node in session.get_inputs()}
    outputs = {node.name: node for node in session.get_outputs()}
    if set(inputs) != {INPUT} or set(outputs) != set(OUTPUTS):
        raise CardError(
            f"{where}: graph has inputs {sorted(inputs)} and outputs {sorted(outputs)}, "
            f"expected ['{INPUT}'] and {sorted(OUTPUTS)}; export the model again"
        )
    width = outputs["scores"].shape[-1]
    if width != len(card.labels):
        raise CardError(
            f"{where}: output 'scores' is {width} wide, the card has {len(card.labels)} labels "
            f"({', '.join(card.labels)}); use the card that was exported with this graph"
        )
    missing = set(SPEAKER_INPUTS) - {node.name for node in session.get_overridable_initializers()}
    if card.adaptable and missing:
        raise CardError(f"{where}: card says adaptable, but the graph lacks {sorted(missing)}; export the model again")
    _check_copy(session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, ""), card, where=where)


def _check_copy(copy: str, card: ModelCard, *, where: Path) -> None:
    if copy == embedded_card(card):
        return
    if not copy:
        raise CardError(f"{where}: graph has no copy of its card ('{METADATA_KEY}'); export the model again")
    beside = msgspec.json.decode(embedded_card(card))
    try:
        inside = msgspec.json.decode(copy)
    except (msgspec.DecodeError, RecursionError):
        inside = None
    if not isinstance(inside, dict):
        raise CardError(f"{where}: graph's copy of its card is no JSON object; export the model again")
    keys = sorted(key for key in {*inside, *beside} if inside.get(key) != beside.get(key))
    raise CardError(
        f"{where}: the card inside the graph and the one beside it differ in {', '.join(keys) or 'their layout'}; "
        "use the card that was exported with this graph"
    )
