"""Make the card of a trained model: corpora, licences, and figures of the cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emovox import __version__
from emovox.corpora.provenance import licence, licence_risk
from emovox.evaluation.figures.calibration import abstention_threshold, kept
from emovox.evaluation.figures.metrics import expected_calibration_error, summary
from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.trust.label_sets import measure_sets
from emovox.runtime.segmenter import SegmenterConfig
from emovox.runtime.vad import VAD_VERSION
from emovox.schema.card import FORMAT_VERSION, CardCorpus, CardHead, Figure, Golden, ModelCard
from emovox.schema.figure import SEVEN, TILE, FigureKey
from emovox.schema.trust import CardCalibration, CardTrust

CUT = SegmenterConfig()
"""Parameters of the tiles in training (`emovox.training.data.inputs`); the card has the same, for `predict`."""

LONGEST, HOP = 30.0, 0.5
"""Longest input that is tested, and step of previews, in seconds."""

FEWEST_CLIPS, FEWEST_SPEAKERS = 500, 10
"""Below either number the card says what the model cannot promise. EMO-DB, the smallest corpus with published figures
over more than a handful of speakers, has 535 clips of 10."""

MOST_THRESHOLD = 0.6
"""Largest abstention threshold: a model that is surer on its own clips would answer nothing on others'."""

OUT_OF_FOLD_PROTOCOLS = ("si", "joint")
"""Protocols whose predictions are out of fold and of speakers that are new to the model."""

KEEP = 0.9
"""Share of out-of-fold clips with a label at the abstention threshold (docs/protocols.md, rule 10)."""


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
    """Return the card of a model.

    Args:
        name: name of the recipe and of the model.
        predictions: out-of-fold predictions; they give the figures and the threshold.
        recipe_sha256: hash of the recipe.
        labels: labels of the model, in the order of the scores.
        corpora: training corpora of the weights, pretraining included.
        parameters: number of weights.
        adaptable: whether the model takes the statistics of a speaker.
        temperature: divides the logits, above 0.
        description: one line.
        head: the last layer as data, for models that are adapted.

    Returns:
        The card without `sha256` and `golden`, which the export fills in; times are in seconds, rates in Hz.
    """
    names, threshold = [corpus.name for corpus in corpora], _threshold(predictions)
    return ModelCard(
        format=FORMAT_VERSION,
        name=name,
        version=__version__,
        description=_described(description, corpora),
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
        threshold=threshold,
        recipe=name,
        recipe_sha256=recipe_sha256,
        corpora=corpora,
        licence=licence(names),
        licence_risk=licence_risk(names),
        figures=tuple(_figure(key, made) for key, made in _shown(predictions).items()),
        golden=Golden("", 0.0, (), 0.0),
        head=head,
        detector=VAD_VERSION,
        limits=limits_of(corpora),
        trust=measured_trust(predictions, labels=labels, corpora=corpora, threshold=threshold),
    )


def measured_trust(
    predictions: Mapping[FigureKey, Predictions],
    *,
    labels: tuple[str, ...],
    corpora: Sequence[CardCorpus],
    threshold: float,
) -> CardTrust | None:
    """Return what the scores of a model are worth, from its out-of-fold predictions; None without any.

    Args:
        predictions: those over other labels, under other conditions than `predict`, or of other corpora do not count.
        labels: of the model.
        corpora: of its training.
        threshold: of abstention.
    """
    names = {corpus.name for corpus in corpora}
    shown = _shown(predictions)
    fitting = {key: made for key, made in shown.items() if made.classes == labels and key.corpus in names}
    by_protocol = sorted(fitting, key=lambda key: (key.labels == SEVEN, key.protocol == "joint"))
    parts = {key.corpus: fitting[key] for key in by_protocol if key.protocol in OUT_OF_FOLD_PROTOCOLS}
    if not parts:
        return None
    return CardTrust(sets=measure_sets(list(parts.values())), calibration=_calibration(parts, threshold))


def _calibration(parts: Mapping[str, Predictions], threshold: float) -> CardCalibration:
    """Return the calibration over corpora with equal weight."""
    errors = {name: expected_calibration_error(made.scores, made.label_index) for name, made in parts.items()}
    above, every = ([kept(made, limit) for made in parts.values()] for limit in (threshold, 0.0))
    worst = max(errors, key=lambda name: errors[name])
    return CardCalibration(
        error=_percent(list(errors.values())),
        worst=_percent([errors[worst]]),
        corpus=worst,
        labelled=_percent([one.share for one in above]),
        right=_percent([one.accuracy for one in above]),
        right_of_all=_percent([one.accuracy for one in every]),
    )


def _percent(shares: Sequence[float]) -> float:
    return round(100 * float(np.mean(shares)), 1)


def limits_of(corpora: Sequence[CardCorpus]) -> str:
    """Return what a model cannot promise that learnt from few clips or speakers; "" if it learnt from enough.

    >>> limits_of([CardCorpus("mine", "yours", 3, 60)])[:72]
    'learnt from 60 clips of 3 speakers, below 500 clips and 10 speakers: exp'
    """
    clips, speakers = sum(corpus.clips for corpus in corpora), sum(corpus.speakers for corpus in corpora)
    few = [
        *([f"{FEWEST_CLIPS} clips"] if clips < FEWEST_CLIPS else []),
        *([f"{FEWEST_SPEAKERS} speakers"] if speakers < FEWEST_SPEAKERS else []),
    ]
    if not few:
        return ""
    return (
        f"learnt from {clips} clips of {speakers} speakers, below {' and '.join(few)}: expect wrong labels with high "
        "confidence on other voices and microphones; confidence and threshold are rough"
    )


def _described(description: str, corpora: Sequence[CardCorpus]) -> str:
    """Return the description with the data that the weights were trained on."""
    parts = [f"{corpus.name} ({corpus.clips} clips, {corpus.speakers} speakers)" for corpus in corpora]
    return f"{description}; learnt from {', '.join(parts)}"


def _threshold(predictions: Mapping[FigureKey, Predictions]) -> float:
    """Return the largest threshold at which 90 % of the out-of-fold clips have a label, of the corpora in training.

    It is 0 without predictions: such a model never abstains.
    """
    if not predictions:
        return 0.0
    merged = any(key.labels == SEVEN for key in predictions)
    parts = {key: made.scores for key, made in _shown(predictions).items() if (key.labels == SEVEN) == merged}
    learnt = [scores for key, scores in parts.items() if key.protocol not in ("unheard", "zero-shot")]
    # 4 digits on the card: rounded down, so that no clip at the threshold is lost
    found = min(MOST_THRESHOLD, abstention_threshold(np.concatenate(learnt or list(parts.values())), keep=KEEP))
    return float(np.floor(found * 1e4) / 1e4)


def _shown(predictions: Mapping[FigureKey, Predictions]) -> dict[FigureKey, Predictions]:
    """Return what a card shows: the condition of `predict`, over the labels of the corpus and of the model."""
    return {key: made for key, made in predictions.items() if key.condition == TILE}


def _figure(key: FigureKey, made: Predictions) -> Figure:
    measured = summary(made).uar
    value, low, high = (round(100 * share, 1) for share in (measured.value, measured.low, measured.high))
    protocol = f"{key.protocol}-{SEVEN}" if key.labels == SEVEN else key.protocol
    return Figure(key.dataset, protocol, "UAR", value, low, high, f"predictions/{key.stem}.csv")
