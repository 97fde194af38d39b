"""Figures of transfer: what a model has learnt from, what it is tested on, and its UAR there."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from emovox.evaluation.figures.bootstrap import intervals
from emovox.evaluation.figures.metrics import values
from emovox.evaluation.figures.predictions import Predictions
from emovox.schema.files import write_whole

OTHERS = "other languages"
"""Name of the training set of all corpora in other languages than that of the test."""


@dataclass(frozen=True)
class Transfer:
    """The figure of one model on one corpus that it has not heard.

    Attributes:
        learnt: the corpus that the model has learnt from, or `OTHERS`.
        tested: the corpus that it is tested on.
        view: how it was adapted, such as "plain".
        classes: number of classes that both have; chance is 100 / classes.
        speakers: number of test speakers.
        clips: number of test clips.
        uar: UAR in %, of the classes that both have.
        low, high: its 95 % interval over speakers (over utterances below five speakers).
    """

    learnt: str
    tested: str
    view: str
    classes: int
    speakers: int
    clips: int
    uar: float
    low: float
    high: float

    @property
    def chance(self) -> float:
        """UAR in % of a uniform guess."""
        return 100 / self.classes


def measure_transfer(predictions: Predictions, *, learnt: str, tested: str, view: str, seed: int = 0) -> Transfer:
    """Return the figure of predictions whose classes are those that both corpora have.

    The same clip may occur several times, for several draws of clips for adaptation.
    """
    found = intervals(predictions, rng=np.random.default_rng(seed)).metrics["uar"]
    return Transfer(
        learnt=learnt,
        tested=tested,
        view=view,
        classes=len(predictions.classes),
        speakers=len(np.unique(predictions.speaker)),
        clips=len(np.unique(predictions.utterance)),
        uar=round(100 * values(predictions)["uar"], 2),
        low=round(100 * found.low, 2),
        high=round(100 * found.high, 2),
    )


def write_transfer(figures: Sequence[Transfer], path: Path) -> None:
    """Write figures as CSV, atomically.

    Raises:
        ConfigError: the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Transfer)]
    table.writerow(names)
    table.writerows([getattr(figure, name) for name in names] for figure in figures)
    write_whole(path, text.getvalue().encode())
