"""Quantise a model file: an INT8 graph with its card, and a parity report against the float32 one."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx

from emovox.audio.types import Samples
from emovox.compression.folding import folded
from emovox.compression.learnt import LearntModel, overrides
from emovox.compression.operators import PRODUCTS, integer_operators, operators
from emovox.compression.quantisation import TARGETS, quantised
from emovox.export.network import export_trained
from emovox.export.output import model_files
from emovox.runtime.golden import golden_input
from emovox.runtime.model import Model
from emovox.runtime.registry import read_card, read_part
from emovox.runtime.session import open_session
from emovox.schema.card import METADATA_KEY, CardQuantisation, Golden, ModelCard, embedded_card
from emovox.schema.errors import CompressionError
from emovox.schema.files import check_writable
from emovox.schema.text import is_file_name

GOLDEN_TOLERANCE = 3e-2
"""Tolerance of the golden scores of an INT8 graph: where a float sum of another processor falls on the other side of a
rounding limit, a whole step changes. The float32 tolerance is 2e-3."""

LEAST_UNCHANGED = 0.9
"""Share of calibration tiles with an unchanged label below which no file is written. The shipped models have 0.97."""


@dataclass(frozen=True)
class Quantised:
    """An INT8 model file.

    Attributes:
        path: of the .onnx file; the card is beside it.
        card: its card, with the parity report.
        before, after: size of the float32 and of the INT8 file in bytes.
        float_products: products that stay in float, operator → number.
    """

    path: Path
    card: ModelCard
    before: int
    after: int
    float_products: dict[str, int]


def quantise(
    source: Path,
    tiles: Sequence[Samples],
    output: Path,
    *,
    target: str = "cpu",
    learnt: LearntModel | None = None,
) -> Quantised:
    """Write the INT8 form of a model as `output` (NAME.onnx) and its card (NAME.json).

    Args:
        source: path of the float32 model's card or graph.
        tiles: [n] float32 each, that give the ranges (`emovox.compression.calibration`).
        output: path of the new file; its name becomes that of the model.
        target: a name in `TARGETS`.
        learnt: the same model after quantisation-aware training; its weights and ranges are used.

    Raises:
        CompressionError: the model cannot be quantised, or loses more than a tenth of the labels.
        CardError: the model cannot be read.
        ConfigError: the file cannot be written.
    """
    card, graph = checked_card(source, output), read_part(source.with_suffix(".onnx"))
    proto = _encoded(graph, tiles, target, learnt)
    made = proto.SerializeToString()
    found = operators(made)
    unchanged, largest = parity(graph, made, tiles, where=source)
    if unchanged < LEAST_UNCHANGED:
        raise CompressionError(
            f"{source}: INT8 keeps {100 * unchanged:.0f} % of the labels of the calibration tiles, expected at least "
            f"{100 * LEAST_UNCHANGED:.0f} %; give more and more varied recordings"
        )
    about = CardQuantisation(
        precision="int8",
        target=target,
        method="trained" if learnt else "calibrated",
        tiles=len(tiles),
        unchanged=round(unchanged, 4),
        largest_change=round(largest, 4),
        operators=integer_operators(found),
        figures="float32",
    )
    card = msgspec.structs.replace(card, name=output.stem, sha256="", quantisation=about, golden=_golden(card, made))
    final, card = _with_card(proto, card)
    _write(output, final, card)
    floats = {name: number for name, number in sorted(found.items()) if name in PRODUCTS}
    return Quantised(output, card, len(graph), len(final), floats)


def _encoded(graph: bytes, tiles: Sequence[Samples], target: str, learnt: LearntModel | None) -> Any:
    if learnt is None:
        return quantised(folded(graph), tiles, TARGETS[target])
    with tempfile.TemporaryDirectory() as folder:
        proto = folded(export_trained(learnt.model, {}, Path(folder)).read_bytes())
    return quantised(proto, tiles, TARGETS[target], overrides(learnt, proto, TARGETS[target]))


def parity(before: bytes, after: bytes, tiles: Sequence[Samples], *, where: Path) -> tuple[float, float]:
    """Return the share of tiles with an unchanged label, and the largest change of a score, between two graphs."""
    pair = [_scores(graph, tiles, where=where) for graph in (before, after)]
    same = pair[0].argmax(axis=1) == pair[1].argmax(axis=1)
    return float(same.mean()), float(np.abs(pair[0] - pair[1]).max())


def _scores(graph: bytes, tiles: Sequence[Samples], *, where: Path) -> Samples:
    session = open_session(graph, threads=1, where=where)
    rows: Samples = np.concatenate([session.run(["scores"], {"samples": tile[None]})[0] for tile in tiles])
    return rows


def checked_card(source: Path, output: Path) -> ModelCard:
    """Return the card of a model after a check that it can be quantised to this output, before long work.

    Raises:
        CompressionError: it is INT8 already or has no layers, or the output is none of an ONNX file, or the model.
        ConfigError: the output cannot be written.
    """
    card = read_card(source.with_suffix(".json"))
    if card.quantisation is not None:
        raise CompressionError(f"{source}: is INT8 already, expected a float32 model")
    if card.encoder is not None or card.head is None:
        what = "a head alone" if card.encoder is not None else "no network"
        raise CompressionError(
            f"{source}: '{card.name}' is {what}, expected a model with layers to quantise, such as mobile, hybrid or "
            "accurate"
        )
    if output.suffix != ".onnx" or not is_file_name(output.stem):
        raise CompressionError(f"output is '{output}', expected a path that ends in NAME.onnx")
    if output.resolve() == source.with_suffix(".onnx").resolve():
        raise CompressionError(f"{output}: is the model itself, expected another file; it would be lost")
    for path in (output, output.with_suffix(".json")):
        check_writable(path, make_folder=True)
    return card


def _golden(card: ModelCard, graph: bytes) -> Golden:
    golden = card.golden
    samples = golden_input(seconds=golden.seconds, sample_rate=card.sample_rate, formula=golden.formula)
    scores = _scores(graph, [samples], where=Path(card.name))[0]
    return Golden(golden.formula, golden.seconds, tuple(round(float(score), 6) for score in scores), GOLDEN_TOLERANCE)


def _with_card(proto: Any, card: ModelCard) -> tuple[bytes, ModelCard]:
    """Return the bytes of a graph with the copy of its card, and the card with their hash."""
    entry = proto.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, embedded_card(card)
    onnx.checker.check_model(proto)
    graph = bytes(proto.SerializeToString())
    return graph, msgspec.structs.replace(card, sha256=hashlib.sha256(graph).hexdigest())


def _write(output: Path, graph: bytes, card: ModelCard) -> None:
    """Write both files after a check that they load."""
    with model_files(output, graph, card) as draft:
        Model.load(draft)
