"""Make the card of a trained model: corpora, licences, and figures of the cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from emovox import __version__
from emovox.corpora.provenance import card_corpora, licence, licence_risk
from emovox.evaluation.figures.calibration import abstention_threshold
from emovox.evaluation.figures.metrics import summary
from emovox.evaluation.figures.predictions import Predictions
from emovox.runtime.segmenter import SegmenterConfig
from emovox.schema.card import FORMAT_VERSION, CardCorpus, CardHead, Figure, Golden, ModelCard
from emovox.schema.figure import SEVEN, TILE, FigureKey
from emovox.training.data.task import Task
from emovox.training.recipe import Recipe
from emovox.training.run import Run

CUT = SegmenterConfig()
"""Parameters of the tiles in training (`emovox.training.data.inputs`); the card has the same, for `predict`."""

LONGEST, HOP = 30.0, 0.5
"""Longest input that is tested, and step of previews, in seconds."""

KEEP = 0.9
"""Share of out-of-fold clips with a label at the abstention threshold (docs/protocols.md, rule 10)."""


def make_card(
    task: Task,
    recipe: Recipe,
    run: Run[Any],
    *,
    parameters: int,
    adaptable: bool,
    temperature: float,
    description: str,
    head: CardHead | None = None,
) -> ModelCard:
    """Say of a model that the run fitted on all clips what the run tells: corpora, licences, figures, threshold.

    Args:
        task: the clips.
        recipe: what was trained; its description stands on the card.
        run: gives the figures and the threshold.
        parameters: how many numbers were learnt.
        adaptable: whether the model takes a speaker's statistics.
        temperature: what the graph divides its logits by.
        description: one line, where the recipe has none.
        head: the last layer as data, of models that are adapted.

    Returns:
        All but `sha256` and `golden`, which the export fills in.
    """
    return model_card(
        recipe.name,
        run.predictions,
        recipe_sha256=recipe.sha256(),
        labels=recipe.labels or task.classes,
        corpora=card_corpora([task.clips[index] for index in run.trained]),
        parameters=parameters,
        adaptable=adaptable,
        temperature=temperature,
        description=recipe.description or description,
        head=head,
    )


def model_card(
    name: str,
    predictions: Mapping[FigureKey, Predictions],
    *,
    recipe_sha256: str,
    labels: tuple[str, ...],
    corpora: tuple[CardCorpus, ...],
    parameters: int,
    adaptable: bool,
    temperature: float,
    description: str,
    head: CardHead | None = None,
) -> ModelCard:
    """Return the card of a model, from data alone: no run is needed.

    Args:
        name: of the recipe and of the model.
        predictions: out of fold; they give the figures and the threshold.
        recipe_sha256: hash of the recipe.
        labels: what the model answers, in order.
        corpora: what the weights learnt from, pretraining included.
        parameters: as in `make_card`.
        adaptable: as in `make_card`.
        temperature: as in `make_card`.
        description: one line.
        head: as in `make_card`.

    Returns:
        All but `sha256` and `golden`, which the export fills in.
    """
    names = [corpus.name for corpus in corpora]
    return ModelCard(
        format=FORMAT_VERSION,
        name=name,
        version=__version__,
        description=description,
        sha256="",
        labels=labels,
        sample_rate=CUT.sample_rate,
        shortest=CUT.shortest,
        longest=LONGEST,
        window=CUT.window,
        hop=HOP,
        parameters=parameters,
        adaptable=adaptable,
        temperature=temperature,
        threshold=_threshold(predictions),
        recipe=name,
        recipe_sha256=recipe_sha256,
        corpora=corpora,
        licence=licence(names),
        licence_risk=licence_risk(names),
        figures=tuple(_figure(key, made) for key, made in _shown(predictions).items()),
        golden=Golden("", 0.0, (), 0.0),
        head=head,
    )


def _threshold(predictions: Mapping[FigureKey, Predictions]) -> float:
    """Return the largest threshold at which 90 % of the out-of-fold clips have a label, of the corpora in training."""
    merged = any(key.labels == SEVEN for key in predictions)
    parts = {key: made.scores for key, made in _shown(predictions).items() if (key.labels == SEVEN) == merged}
    learnt = [scores for key, scores in parts.items() if key.protocol not in ("unheard", "zero-shot")]
    # 4 digits on the card: rounded down, so that no clip at the threshold is lost
    return float(np.floor(abstention_threshold(np.concatenate(learnt or list(parts.values())), keep=KEEP) * 1e4) / 1e4)


def _shown(predictions: Mapping[FigureKey, Predictions]) -> dict[FigureKey, Predictions]:
    """Return what a card shows: the condition of `predict`, over the labels of the corpus and of the model."""
    return {key: made for key, made in predictions.items() if key.condition == TILE}


def _figure(key: FigureKey, made: Predictions) -> Figure:
    measured = summary(made).uar
    value, low, high = (round(100 * share, 1) for share in (measured.value, measured.low, measured.high))
    protocol = f"{key.protocol}-{SEVEN}" if key.labels == SEVEN else key.protocol
    return Figure(key.dataset, protocol, "UAR", value, low, high, f"predictions/{key.stem}.csv")
