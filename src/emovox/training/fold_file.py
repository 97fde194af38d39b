"""A finished fold as text: `N.csv` has the scores of the test clips by condition, `N.json` the values chosen.

`N-adaptation.csv` has the counts of the adaptation protocol, if the model can adapt.
Clips are identified by corpus and name. So an interrupted cross-validation continues from these files on any machine.
"""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from emovox.corpora.folds import Fold
from emovox.evaluation.adaptation.counts import read_counts, write_counts
from emovox.models.scores import Matrix
from emovox.schema.errors import RecipeError
from emovox.schema.files import write_whole
from emovox.schema.text import json_document
from emovox.training.cross_validation import FoldScores
from emovox.training.data.task import Task

COLUMNS = ("condition", "corpus", "utterance")
DIGITS = 6
"""Significant digits of a score: no decision depends on a smaller difference."""

SPEECH_KEPT = "speech_kept"
"""Key of `chosen` in a fold whose model tells speech."""


def write_fold(stem: Path, task: Task, scores: FoldScores) -> None:
    """Write `<stem>.csv`, then `<stem>.json`; a fold without the .json counts as unfinished.

    Raises:
        ConfigError: a file cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*COLUMNS, *task.classes])
    for condition, values in scores.scores.items():
        for clip, row in zip(scores.test, values, strict=True):
            known = task.clips[clip]
            rows.writerow([condition, known.corpus, known.id, *(f"{value:.{DIGITS}g}" for value in row)])
    about = {"fold": scores.number, "temperature": scores.temperature, "chosen": scores.chosen}
    if scores.adaptation:
        write_counts(_adaptation_path(stem), scores.adaptation)
    write_whole(stem.with_suffix(".csv"), text.getvalue().encode(), make_folder=True)
    write_whole(stem.with_suffix(".json"), json_document(about).encode())


def is_done(stem: Path, *, adapts: bool, speaks: bool = False) -> bool:
    """Return whether a fold is finished; arguments as for `read_fold`."""
    about = stem.with_suffix(".json")
    return (
        about.is_file()
        and not (adapts and not _adaptation_path(stem).is_file())
        and not (speaks and f'"{SPEECH_KEPT}"' not in about.read_text(encoding="utf-8"))
    )


def read_fold(stem: Path, task: Task, fold: Fold, *, adapts: bool = False, speaks: bool = False) -> FoldScores | None:
    """Return the scores of a finished fold; None if it is unfinished.

    Args:
        stem: path of the files without their suffix.
        task: the clips.
        fold: the clips that it tests.
        adapts: whether a finished fold has the counts of the adaptation protocol.
        speaks: whether the model of a finished fold tells speech.

    Raises:
        RecipeError: the files are damaged, or have other clips or classes than this fold tests.
    """
    table, about = stem.with_suffix(".csv"), stem.with_suffix(".json")
    if not is_done(stem, adapts=adapts, speaks=speaks):
        return None
    try:
        document: dict[str, Any] = json.loads(about.read_bytes())
        conditions = _read_conditions(table, task)
        clips = [(task.clips[clip].corpus, task.clips[clip].id) for clip in fold.test]
        scores = {condition: _in_order(rows, clips, table) for condition, rows in conditions.items()}
        # JSON has no NaN: a value that was not measured, since no speaker was held out, is null
        chosen = {name: math.nan if value is None else float(value) for name, value in document["chosen"].items()}
        test, temperature = np.array(fold.test, np.int64), float(document["temperature"])
        adaptation = read_counts(_adaptation_path(stem)) if adapts else ()
        return FoldScores(fold.number, test, scores, temperature, chosen, adaptation)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RecipeError(
            f"{table}: not the scores of a fold ({error}); remove it and its .json to run the fold again"
        ) from error


def _adaptation_path(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}-adaptation.csv")


Rows = dict[tuple[str, str], list[float]]


def _read_conditions(path: Path, task: Task) -> dict[str, Rows]:
    header, *lines = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
    if tuple(header) != (*COLUMNS, *task.classes):
        raise RecipeError(
            f"{path}: has the columns {', '.join(header)}, expected the classes {', '.join(task.classes)}; "
            "name another folder by --output"
        )
    found: dict[str, Rows] = {}
    for condition, corpus, utterance, *scores in lines:
        found.setdefault(condition, {})[corpus, utterance] = [float(score) for score in scores]
    return found


def _in_order(rows: Rows, clips: list[tuple[str, str]], path: Path) -> Matrix:
    if rows.keys() != set(clips):
        raise RecipeError(f"{path}: tests other clips than the corpus now has; name another folder by --output")
    return np.array([rows[clip] for clip in clips], dtype=np.float64)
