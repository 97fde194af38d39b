"""The table of docs/face.md: voice and action units of the face on RAVDESS, from results/fusion."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from publish.tables import table

FOLDS = {"five": "five published folds", "five-full": "five, full heads", "six": "six folds"}
"""Sets of folds: the name of the file, and words."""

SYSTEMS = {"voice": "voice alone", "face": "action units alone", "both": "both"}

DRAWS, BINS = 1000, 15
"""Draws of speakers for an interval, and bins of the calibration error."""

HEADS = ("folds", "adaptation", "system", "accuracy %", "95 % interval", "UAR %", "folds, mean ± sd", "ECE %")

Floats = npt.NDArray[np.float64]


class Scored(NamedTuple):
    """A scored clip: speaker, fold, draw, label, whether each system is right, and the confidence of both together."""

    speaker: str
    fold: str
    draw: str
    label: str
    right: dict[str, bool]
    confidence: float


def read_scored(path: Path) -> list[Scored]:
    """Return the rows of a file that `python -m studies.fusion` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Scored(
                row["speaker"],
                row["fold"],
                row["draw"],
                row["label"],
                {name: row[name] == row["label"] for name in SYSTEMS},
                float(row["confidence"]),
            )
            for row in csv.DictReader(file)
        ]


def fusion_table(folder: Path) -> str:
    """Return the table of all files of a folder; a missing one has no rows."""
    rows = []
    for name, words in FOLDS.items():
        if (path := folder / f"{name}.csv").is_file():
            scored = read_scored(path)
            for adapted, about in ((False, "none"), (True, "10 clips of the person")):
                part = [row for row in scored if bool(row.draw) == adapted]
                rows += [[words, about, *cells] for cells in _rows(part)] if part else []
    return table(HEADS, rows)


def _rows(scored: Sequence[Scored]) -> Iterator[list[str]]:
    for system, words in SYSTEMS.items():
        accuracy, low, high = accuracy_interval(scored, system)
        folds = [accuracy_of([row for row in scored if row.fold == fold], system) for fold in _names(scored, "fold")]
        recalls = [
            accuracy_of([row for row in scored if row.label == name], system) for name in _names(scored, "label")
        ]
        shown = f"{np.mean(folds):.1f} ± {np.std(folds, ddof=1):.1f}"
        error = f"{calibration_error(scored):.1f}" if system == "both" else ""
        yield [words, f"**{accuracy:.1f}**", f"{low:.1f} to {high:.1f}", f"{np.mean(recalls):.1f}", shown, error]


def _names(scored: Sequence[Scored], field: str) -> list[str]:
    return sorted({getattr(row, field) for row in scored})


def accuracy_of(scored: Sequence[Scored], system: str) -> float:
    """Return the accuracy of a system in %; clips of all draws count alike."""
    return 100 * float(np.mean([row.right[system] for row in scored]))


def accuracy_interval(scored: Sequence[Scored], system: str) -> tuple[float, float, float]:
    """Return the accuracy in % and its 95 % interval, from draws of speakers with replacement."""
    speakers = _names(scored, "speaker")
    right = np.array([sum(row.right[system] for row in scored if row.speaker == name) for name in speakers])
    clips = np.array([sum(row.speaker == name for row in scored) for name in speakers])
    drawn = np.random.default_rng(0).integers(0, len(speakers), (DRAWS, len(speakers)))
    values = 100 * right[drawn].sum(axis=1) / clips[drawn].sum(axis=1)
    low, high = np.quantile(values, (0.025, 0.975))
    return 100 * float(right.sum() / clips.sum()), float(low), float(high)


def calibration_error(scored: Sequence[Scored]) -> float:
    """Return the expected calibration error in % of both, over equal bins of the confidence."""
    sure: Floats = np.array([row.confidence for row in scored])
    right = np.array([row.right["both"] for row in scored], np.float64)
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [abs(float((right - sure)[place == number].sum())) for number in np.unique(place)]
    return 100 * sum(gaps) / len(scored)
