"""Counts of the adaptation protocol, as rows of a CSV: enough for every figure and its interval over speakers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from emovox.schema.errors import PredictionsError
from emovox.schema.files import write_whole


class AdaptationCounts(NamedTuple):
    """Scored clips of one speaker by class, summed over draws of clips for adaptation.

    Attributes:
        corpus, speaker: whose clips.
        view: "own" for the labels of the corpus, "seven" for those of the model.
        method: a key of `emovox.evaluation.adaptation.voices.METHODS`.
        mix: of moods in the clips for adaptation.
        mood: label of the mix "one"; "" in other mixes.
        clips: number of clips for adaptation; see the method.
        classes: names of the C classes.
        scored: [C], scored clips.
        plain: [C], of these, clips with the right label without adaptation.
        adapted: [C], the same with it.
    """

    corpus: str
    speaker: str
    view: str
    method: str
    mix: str
    mood: str
    clips: int
    classes: tuple[str, ...]
    scored: tuple[int, ...]
    plain: tuple[int, ...]
    adapted: tuple[int, ...]


_LISTS = ("classes", "scored", "plain", "adapted")


def write_counts(path: Path, rows: Iterable[AdaptationCounts]) -> None:
    """Write rows as a CSV; lists are separated by spaces.

    Raises:
        ConfigError: the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(AdaptationCounts._fields)
    for row in rows:
        table.writerow([" ".join(map(str, value)) if isinstance(value, tuple) else value for value in row])
    write_whole(path, text.getvalue().encode(), make_folder=True)


def read_counts(path: Path) -> tuple[AdaptationCounts, ...]:
    """Return the rows of a CSV.

    Raises:
        PredictionsError: the file cannot be read, or is not one that `write_counts` wrote.
    """
    try:
        header, *lines = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
        if tuple(header) != AdaptationCounts._fields:
            raise ValueError(f"its columns are {', '.join(header)}")
        return tuple(_row(dict(zip(header, line, strict=True))) for line in lines)
    except (OSError, ValueError) as error:
        raise PredictionsError(
            f"{path}: not the counts of an adaptation ({error}), expected the columns "
            f"{', '.join(AdaptationCounts._fields)}; remove it, and run emovox train again with --resume"
        ) from error


def _row(cells: dict[str, str]) -> AdaptationCounts:
    scored, plain, adapted = (tuple(map(int, cells[name].split())) for name in _LISTS[1:])
    classes = tuple(cells["classes"].split())
    if not len(classes) == len(scored) == len(plain) == len(adapted):
        raise ValueError(f"got {len(scored)}, {len(plain)} and {len(adapted)} counts for {len(classes)} classes")
    names = {name: cells[name] for name in AdaptationCounts._fields if name not in (*_LISTS, "clips")}
    return AdaptationCounts(
        **names, clips=int(cells["clips"]), classes=classes, scored=scored, plain=plain, adapted=adapted
    )
