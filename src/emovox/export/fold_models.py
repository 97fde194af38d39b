"""The fold models of a run as a system of the trust suite: each scores only speakers that it did not learn from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from emovox.augment.config import Augment
from emovox.augment.sources import noise_folder
from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.trust.system import System, from_folds
from emovox.export.network import export_trained
from emovox.models.trained import ABOUT, TrainedModel
from emovox.runtime.predictor import Predictor, load
from emovox.schema.config import convert
from emovox.schema.errors import RecipeError
from emovox.schema.figure import SEVEN, TILE, FigureKey
from emovox.schema.labels import SEVEN_MAP
from emovox.training.run import Run
from emovox.training.run_folder import RESOLVED, model_folder, no_run
from emovox.training.speech_sounds import FOLDS

INDEPENDENT = ("si", "si-fusion", "joint", "unheard", "zero-shot")
"""Protocols in which no test speaker is in training."""


def run_system(folder: Path, cache: Path) -> System:
    """Return the fold models of a finished run as a system.

    Each is exported once; the files are kept by the hash of its weights.

    Args:
        folder: made by `emovox train`.
        cache: folder of the exported models.

    Raises:
        RecipeError: the folder holds no run, or no networks of folds.
        WeightsError: a network is damaged.
        ExportError: a network cannot be exported.
    """
    run = Run.load(folder)
    recipe = json.loads((folder / RESOLVED).read_bytes())
    numbers = sorted(int(path.name) for path in (folder / "folds").glob("*") if path.name.isdigit())
    models = {str(number): _exported(folder, number, run, cache) for number in numbers if _has_model(folder, number)}
    if not models:
        raise RecipeError(f"{folder}: has no networks of folds, expected folds/1/{ABOUT} and so on; train it again")
    labels = next(iter(models.values())).labels
    known = {name: with_labels(found, labels) for name, found in _out_of_fold(run.predictions).items()}
    known = {name: _tested(found, set(models)) for name, found in known.items()}
    kinds = unheard_kinds({fold: _about(folder, int(fold)).get("speech") for fold in models})
    return from_folds(folder.resolve().name, models, known, noise=training_noises(recipe), kinds=kinds)


def run_corpora(folder: Path) -> tuple[tuple[str, ...], str]:
    """Return what a run was trained on: names of corpora or paths, and the name of the user's recordings.

    Raises:
        RecipeError: the folder holds no run.
    """
    try:
        data = json.loads((folder / RESOLVED).read_bytes())["data"]
        return tuple(data["corpora"]), str(data.get("name", ""))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise no_run(folder, error) from error


def _has_model(folder: Path, number: int) -> bool:
    return (model_folder(folder, number) / ABOUT).is_file()


def _about(folder: Path, number: int) -> dict[str, Any]:
    """Return what network.json of a fold says."""
    found: dict[str, Any] = json.loads((model_folder(folder, number) / ABOUT).read_bytes())
    return found


def unheard_kinds(speech: Mapping[str, Mapping[str, Any] | None]) -> dict[str, str | None]:
    """Return for each kind of sound the fold whose model did not learn from its group, for `System.kinds`.

    Args:
        speech: fold → what network.json says of speech; None: its model does not tell speech, so it tests no kind.
    """
    learnt = {fold: set(about["kinds"]) for fold, about in speech.items() if about}
    found: dict[str, str | None] = {}
    for group in FOLDS.values():
        without = [fold for fold, kinds in learnt.items() if kinds.isdisjoint(group)]
        if len(without) < len(learnt):
            found |= dict.fromkeys(group, without[0] if without else None)
    return found


def _exported(folder: Path, number: int, run: Run[TrainedModel], cache: Path) -> Predictor:
    trained = model_folder(folder, number)
    weights = _about(folder, number)["weights_sha256"]
    place = cache / weights[:16]
    found = sorted(place.glob("*.onnx"))
    path = found[0] if found else export_trained(TrainedModel.load(trained), run.predictions, place)
    return load(str(path))


def _out_of_fold(predictions: Mapping[FigureKey, Predictions]) -> dict[str, Predictions]:
    """Return the predictions of each corpus on the path of `predict`, with all labels if there is such a view."""
    found: dict[str, Predictions] = {}
    for key in sorted(predictions, key=lambda key: key.labels != SEVEN):
        if key.condition == TILE and key.protocol in INDEPENDENT:
            found.setdefault(key.corpus, predictions[key])
    return found


def with_labels(predictions: Predictions, labels: Sequence[str]) -> Predictions:
    """Return predictions with the labels of a model; others are added to what they map to, or dropped."""
    names = [label if label in labels else SEVEN_MAP.get(label) for label in predictions.classes]
    merge = np.array([[name == label for label in labels] for name in names], np.float64)
    scores = predictions.scores @ merge
    scores = scores / np.maximum(scores.sum(axis=1, keepdims=True), 1e-12)
    known = dict(zip(predictions.classes, (name or "" for name in names), strict=True))
    label = np.array([known[name] for name in predictions.label.tolist()], np.str_)
    best = np.array(["", *labels])[np.where(predictions.answered, np.nan_to_num(scores).argmax(axis=1) + 1, 0)]
    rows = np.isin(label, list(labels))
    columns = {name: getattr(predictions, name)[rows] for name in ("corpus", "utterance", "speaker", "fold")}
    return Predictions(**columns, label=label[rows], predicted=best[rows], scores=scores[rows], classes=tuple(labels))


def _tested(predictions: Predictions, folds: set[str]) -> Predictions:
    """Return the clips of folds that have a model."""
    return predictions.select(np.isin(predictions.fold, sorted(folds)))


def training_noises(recipe: Mapping[str, Any]) -> Path | None:
    """Return the folder that holds all recorded noises of a training; None if there were none, or none is set here."""
    folders, tables = [], recipe.get("augment", {})
    for table in tables if isinstance(tables, list) else [tables]:
        with suppress(RecipeError):  # a variable that is not set here
            folders.append(noise_folder(convert(table, Augment, where=RESOLVED)))
    known = [str(folder.absolute()) for folder in folders if folder is not None]
    return Path(os.path.commonpath(known)) if known else None
