"""A model as one ONNX file of fixed shapes, for other runtimes: samples in, scores out, nothing to choose."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

from emovox.audio.types import Samples
from emovox.export.fixed import SCORES, WINDOW, check_length, fixed
from emovox.export.output import check_output
from emovox.runtime.golden import golden_input
from emovox.runtime.graph_check import INPUT
from emovox.runtime.model import Model
from emovox.runtime.session import open_session
from emovox.schema.card import ModelCard
from emovox.schema.errors import ExportError
from emovox.schema.files import replacing

PARITY = 1e-3
"""Largest difference of a score between the fixed graph and the model, from another order of float32 sums. Networks
reach 2e-7, the SVM 2e-4."""


class FixedFile(NamedTuple):
    """An ONNX file of fixed shapes.

    Attributes:
        path: of the file.
        proto: the graph, a `ModelProto`.
        samples: length n of its input `samples` [1, n].
        operators: operator → number.
        opset: version of the operators.
        differences: largest difference of a score from the model, by input.
    """

    path: Path
    proto: Any
    samples: int
    operators: Counter[str]
    opset: int
    differences: dict[str, float]


def fixed_file(path: Path, output: Path, *, seconds: float = WINDOW) -> FixedFile:
    """Return a model as one graph from samples [1, n] to scores [1, labels]; nothing is written yet.

    Speaker inputs are folded, batch norm too, and no shape depends on the input. The metadata of the file name its
    labels, rate and licence.

    Args:
        path: path of the model's card or graph.
        output: path of the new .onnx file.
        seconds: length of the input.

    Raises:
        CardError: the model cannot be read.
        ConfigError: the file cannot be written.
        ExportError: the path is none of an ONNX file, or is another model; the model does not take this length, keeps
            shapes that depend on the input, or the graph gives other scores.
    """
    if output.suffix != ".onnx":
        raise ExportError(f"output is '{output}', expected NAME.onnx")
    check_output(output)
    model = Model.load(path)
    card = model.card
    if card.encoder is not None:
        raise ExportError(f"{path}: '{card.name}' is a head alone, expected a whole model such as mobile")
    check_length(card, seconds)
    n, source = round(seconds * card.sample_rate), onnx.load(path.with_suffix(".onnx"))
    proto = fixed(source, {INPUT: [1, n]}, [SCORES], where=path, fuse=True)
    for key, value in _about(card).items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(proto)
    differences = compared(proto, model, n)
    worst = float(np.max(list(differences.values())))  # Python's max would lose a NaN
    if not worst <= PARITY:
        raise ExportError(
            f"{path}: scores of the fixed graph differ by {worst:.2g}, expected at most {PARITY:g}; this is an error "
            "of emovox: please report it with the model"
        )
    counts = Counter(node.op_type for node in proto.graph.node)
    return FixedFile(output, proto, n, counts, proto.opset_import[0].version, differences)


def write(made: FixedFile) -> None:
    """Write the file.

    Raises:
        ConfigError: it cannot be written.
    """
    with replacing(made.path) as file:
        file.write(made.proto.SerializeToString())


def compared(proto: Any, model: Model, n: int) -> dict[str, float]:
    """Return the largest difference of a score between a fixed graph and its model, by input."""
    samples = golden_input(seconds=n / model.card.sample_rate, sample_rate=model.card.sample_rate)
    inputs: dict[str, Samples] = {
        "voice": samples,
        "voice 40 dB lower": samples * np.float32(0.01),
        "voice backwards": np.ascontiguousarray(samples[::-1]),
        "silence": np.zeros_like(samples),
    }
    session = open_session(proto.SerializeToString(), threads=1, where=Path(model.card.name))
    found = {name: session.run([SCORES], {INPUT: one[None]})[0] for name, one in inputs.items()}
    return {name: float(np.abs(found[name] - model.run(one[None]).scores).max()) for name, one in inputs.items()}


def _about(card: ModelCard) -> dict[str, str]:
    return {
        "model": card.name,
        "labels": ",".join(card.labels),
        "sample_rate": str(card.sample_rate),
        "licence": card.licence,
    }
