"""Measure what the scores of shipped models are worth, and write it into their cards.

    python -m publish.trust_card [--familiarity] [MODEL …]

It changes nothing but the key `trust` of the cards and the list of `emovox models fetch`. The graphs stay as they are.
Calibration and sets of labels are measured from the out-of-fold predictions in `results/`. `--familiarity` measures
that, too: it hears a sample of the clips below `$EMOVOX_CORPORA`, and takes some minutes for a model. Else the card
keeps what it has.
"""

from __future__ import annotations

import argparse
import hashlib
from copy import copy
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from emovox.corpora.load import load_clips
from emovox.evaluation.figures.files import read_predictions
from emovox.evaluation.trust.familiarity import ScoredTiles, VoiceTiles, fit_slope, measure_familiarity
from emovox.export.card import measured_trust
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.runtime.registry import read_card, shipped
from emovox.schema.card import ModelCard, encode_card
from emovox.schema.figure import TILE, FigureKey
from emovox.schema.labels import EMOTIONS
from emovox.schema.trust import CardFamiliarity, CardTrust
from emovox.training.cache import cache_folder, save_arrays
from publish.fetch import write_list
from publish.laboratory import RESULTS

CLIPS = 60
"""Clips of a speaker that are heard."""

UNHEARD = "emovo"
"""Corpus on which the loss of confidence is fitted. TESS stays for the test of it."""


def measured(card: ModelCard, results: Path = RESULTS) -> ModelCard:
    """Return a card with the sets of labels of its key `trust`, from the predictions of its model.

    Args:
        card: of a model whose predictions are in `results`.
        results: holds `<model>/<stem>.csv`.
    """
    paths = {FigureKey.parse(card.name, path.stem): path for path in (results / card.name).glob("*.csv")}
    shown = {key: read_predictions(path) for key, path in paths.items() if key.condition == TILE}
    found = measured_trust(shown, labels=card.labels, corpora=card.corpora, threshold=card.threshold) or CardTrust()
    known = None if card.trust is None else card.trust.familiarity
    return msgspec.structs.replace(card, trust=msgspec.structs.replace(found, familiarity=known))


def heard(model: Model, corpus: str, clips_each: int = CLIPS) -> dict[str, Any]:
    """Return the tiles of a sample of a corpus as columns, and keep them in the cache folder.

    Args:
        model: hears the clips.
        corpus: name of a published corpus.
        clips_each: clips of a speaker, drawn by chance.

    Returns:
        `statistics` [n, p], `speaker`, `clip` and `label` [n], `scores` [n, labels], without any loss of confidence.
    """
    key = hashlib.sha256(f"{model.card.sha256} {corpus} {clips_each} plain".encode()).hexdigest()[:16]
    path = cache_folder() / "familiarity" / f"{model.card.name}-{corpus}-{key}.npz"
    if path.is_file():
        return dict(np.load(path))
    rng, predictor = np.random.default_rng(0), Predictor(_sure(model))
    clips = load_clips([corpus])
    speakers = np.array([clip.speaker for clip in clips])
    drawn = [rng.permutation(np.flatnonzero(speakers == name))[:clips_each] for name in np.unique(speakers)]
    rows = []
    for number in np.concatenate(drawn).tolist():
        one, clip = predictor.hear(clips[number].path), clips[number]
        rows += [
            (statistics, clip.speaker, clip.id, str(clip.label), list(segment.scores.values()))
            for segment, statistics in zip(one.segments, one.statistics, strict=True)
        ]
    names = ("statistics", "speaker", "clip", "label", "scores")
    found: dict[str, Any] = {
        name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    save_arrays(path, **found)
    return found


def _sure(model: Model) -> Model:
    """Return the model with a card that says nothing of familiarity, so that no score is lowered."""
    sure = copy(model)
    trust = None if model.card.trust is None else msgspec.structs.replace(model.card.trust, familiarity=None)
    sure.card = msgspec.structs.replace(model.card, trust=trust)
    return sure


def familiarity_of(model: Model, results: Path = RESULTS) -> CardFamiliarity:
    """Return how far recordings are from the training corpora of a shipped model, and what that costs confidence.

    If the model has learnt from `UNHEARD`, the confidence is fitted on the predictions of its twin that has not.
    """
    card, profile = model.card, model.default_profile
    corpora = {}
    for corpus in card.corpora:
        tiles = heard(model, corpus.name)
        corpora[corpus.name] = VoiceTiles(tiles["statistics"], tiles["speaker"])
    tiles = heard(model, UNHEARD)
    scores, known = tiles["scores"], np.isin(tiles["label"], EMOTIONS)
    if UNHEARD in corpora:
        twin = read_predictions(results / card.name / f"{UNHEARD}_own_zero-shot_{TILE}.csv")
        place = {name: row for row, name in enumerate(twin.utterance.tolist())}
        order = [twin.classes.index(label) for label in card.labels]
        scores = np.stack([twin.scores[place[name]][order] for name in tiles["clip"].tolist()])
    known &= ~np.isnan(scores).any(axis=1)
    labels = np.array([card.labels.index(label) for label in tiles["label"][known].tolist()])
    unheard = ScoredTiles(VoiceTiles(tiles["statistics"][known], tiles["speaker"][known]), scores[known], labels)
    found = measure_familiarity(corpora, profile)
    slope = fit_slope(corpora, profile, {UNHEARD: unheard}, axes=found.axes.shape[0])
    return msgspec.structs.replace(found, slope=slope)


def main() -> None:
    """Write the cards and the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=[*shipped()])
    parser.add_argument("--familiarity", action="store_true", help="hear the corpora again")
    options, paths = parser.parse_args(), shipped()
    for name in options.models:
        card = measured(read_card(paths[name]))
        if options.familiarity:
            found = familiarity_of(Model.load(paths[name].with_suffix(".onnx")))
            trust = msgspec.structs.replace(card.trust or CardTrust(), familiarity=found)
            card = msgspec.structs.replace(card, trust=trust)
            shares = f"known {found.known} %, unheard {found.unheard} %"
            print(f"{name}: axes {found.axes.shape}, limits {found.limits}, slope {found.slope}, {shares}")
        paths[name].with_suffix(".json").write_bytes(encode_card(card))
    write_list()


if __name__ == "__main__":
    main()
