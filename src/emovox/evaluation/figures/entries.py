"""The CSVs of predictions that an evaluation reads, and their names in tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from emovox.evaluation.figures.comparison import Entry, check_independent
from emovox.evaluation.figures.files import read_predictions
from emovox.evaluation.figures.predictions import Predictions
from emovox.schema.errors import PredictionsError, ProtocolError
from emovox.schema.figure import PROTOCOLS, FigureKey


def run_files(folder: str, *, views: bool = True, corpus: str | None = None) -> list[Path]:
    """Return the CSVs of a run folder, sorted by corpus, the path of `predict` before other conditions.

    Args:
        folder: made by `emovox train`.
        views: whether to include other test conditions, such as whole clips.
        corpus: names of corpora, separated by commas. Default: all.

    Raises:
        PredictionsError: the folder has no CSV, or one cannot be read.
        ProtocolError: no CSV has clips of the corpus.
    """
    # the path of `predict` comes first in its corpus: the other conditions are compared with it
    found = sorted((Path(folder) / "predictions").glob("*.csv"), key=_place)
    files = [path for path in found if views or _is_headline(path)]
    if not files:
        raise PredictionsError(
            f"{folder}: got a folder without predictions/*.csv, expected one that emovox train has made; "
            "name the files with --predictions"
        )
    wanted = [file for file in files if corpus is None or len(_read(file, corpus))]
    if not wanted:
        raise ProtocolError(f"{folder}: got no clips of {corpus}, expected some; leave --corpus out to take all")
    return wanted


def read_entries(files: Sequence[Path], *, corpus: str | None = None, protocol: str | None = None) -> list[Entry]:
    """Read CSVs, named by their files, or by their paths if several files have the same name.

    Args:
        files: in the order of the tables.
        corpus: names of corpora, separated by commas. Default: all.
        protocol: a key of `PROTOCOLS`. Default: read from the name of each file.

    Raises:
        PredictionsError: a file cannot be read.
        ProtocolError: a file has no clips of the corpus, or is called speaker-independent and cannot be.
    """
    stems = [file.stem for file in files]
    entries = []
    for file in files:
        name = file.stem if stems.count(file.stem) == 1 else str(file.with_suffix(""))
        key = key_of(file)
        made = _read(file, corpus)
        if not len(made):
            raise ProtocolError(f"{file}: got no clips of {corpus}, expected some; leave --corpus out to take all")
        words = PROTOCOLS[protocol] if protocol is not None else key.words if key is not None else ""
        entries.append(_checked(Entry(name, made, words, key=key)))
    return entries


def run_entries(
    folders: Sequence[str], *, views: bool = False, corpus: str | None = None, protocol: str | None = None
) -> list[Entry]:
    """Read several runs, each named by its folder.

    Args:
        folders: made by `emovox train`; the others are compared with the first.
        views: whether to include other test conditions; each is compared with the same condition.
        corpus: see `read_entries`.
        protocol: see `read_entries`.

    Raises:
        PredictionsError: a folder holds no predictions, or a file cannot be read.
        ProtocolError: see `read_entries`.
    """
    return [
        _checked(entry)
        for name, folder in zip(_run_names(folders), folders, strict=True)
        for entry in _of_run(name, run_files(folder, views=views, corpus=corpus), corpus, protocol)
    ]


def _of_run(name: str, files: Sequence[Path], corpus: str | None, protocol: str | None) -> Iterator[Entry]:
    for file in files:
        key = key_of(file)
        view = "" if key is None else key.view
        known = protocol or (key.protocol if key is not None else None)
        words = "" if known is None else PROTOCOLS[known]
        called = f"{name}, {view}" if view else name
        yield Entry(called, _read(file, corpus), words, detailed=not view, key=key)


def _run_names(folders: Sequence[str]) -> list[str]:
    names = [Path(os.path.abspath(folder)).name for folder in folders]
    return [name if names.count(name) == 1 else folder for name, folder in zip(names, folders, strict=True)]


def key_of(file: Path) -> FigureKey | None:
    """Return the identity of a figure from the name of its CSV; None if the name has none."""
    try:
        return FigureKey.parse(file.parent.name, file.stem)
    except PredictionsError:
        return None


def _is_headline(file: Path) -> bool:
    key = key_of(file)
    return key is None or key.headline


def _place(file: Path) -> tuple[str, bool, str]:
    key = key_of(file)
    return file.stem if key is None else key.corpus, not _is_headline(file), file.stem


def _read(file: Path, corpus: str | None) -> Predictions:
    made = read_predictions(file)
    return made if corpus is None else made.select(np.isin(made.corpus, corpus.split(",")))


def _checked(entry: Entry) -> Entry:
    if entry.protocol.startswith("speaker-independent"):
        check_independent(entry)
    return entry
