"""What compression changed: sizes, work and figures of two runs, and the parity of the exported file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from emovox.evaluation.figures.metrics import uar
from emovox.export.network import trained_parity
from emovox.models.cost import multiply_adds
from emovox.models.network import count_parameters
from emovox.models.trained import TrainedModel
from emovox.schema.figure import SEVEN, TILE
from emovox.schema.files import write_whole
from emovox.schema.text import json_document
from emovox.training.run import Run
from emovox.training.run_folder import model_folder

REPORT = "compression.json"
"""File of the report, in the folder of the new run."""


class NetworkSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A network of a run.

    Attributes:
        name: of its recipe.
        parameters: number of weights.
        multiply_adds: of 3 s in the network without its front end (or frozen half).
        front_end_multiply_adds: of 3 s in the front end.
        size: of the exported file in bytes; None: the recipe exports no model.
        uar: corpus → UAR in percent, out of fold, on the path of `predict`.
    """

    name: str
    parameters: int
    multiply_adds: int
    front_end_multiply_adds: int
    size: int | None
    uar: dict[str, float]


class CompressionReport(msgspec.Struct, frozen=True, kw_only=True):
    """Networks before and after compression.

    Attributes:
        before: the larger network.
        after: the smaller one.
        parity: seconds of input → largest difference of a score between the smaller network and its exported file.
    """

    before: NetworkSummary
    after: NetworkSummary
    parity: dict[str, float]


def compression_report(before: Path, after: Path) -> CompressionReport:
    """Measure two finished runs, and write the report into the folder of the second.

    Raises:
        RecipeError: a folder holds no run.
        WeightsError: its network is missing or damaged.
        ConfigError: the report cannot be written.
    """
    old, new = (Run.load(folder) for folder in (before, after))
    file = after / f"{_network(new).card.name}.onnx"
    found = trained_parity(_exported(new), file) if new.model is not None and file.is_file() else {}
    parity = {f"{seconds:g}": difference for seconds, difference in found.items()}
    report = CompressionReport(before=_summary(old), after=_summary(new), parity=parity)
    write_whole(after / REPORT, json_document(report).encode())
    return report


def _summary(run: Run[TrainedModel]) -> NetworkSummary:
    model = _network(run)
    front_end, rest = multiply_adds(model.network.encoder)
    file = run.folder / f"{model.card.name}.onnx"
    shown = {key: made for key, made in run.predictions.items() if key.condition == TILE and key.labels != SEVEN}
    return NetworkSummary(
        name=model.card.name,
        parameters=count_parameters(model.network),
        multiply_adds=rest,
        front_end_multiply_adds=front_end,
        size=file.stat().st_size if file.is_file() else None,
        uar={key.corpus: 100 * uar(made.label, made.predicted) for key, made in shown.items()},
    )


def _network(run: Run[TrainedModel]) -> TrainedModel:
    """Return the network of all clips, or that of the first fold: both have the same sizes."""
    return run.model or TrainedModel.load(model_folder(run.folder, 1))


def _exported(run: Run[TrainedModel]) -> TrainedModel:
    """Return the network of all clips with the temperature of the exported file."""
    model = _network(run)
    card = msgspec.structs.replace(model.card, temperature=run.temperature)
    return TrainedModel(model.network, card, model.adaptation, model.speech)
