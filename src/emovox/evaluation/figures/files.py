"""CSVs of predictions (docs/protocols.md, rule 5): a complete one, and the small one of results/.

The complete one has all columns. The small one names a second file, which lists the clips once for all models and test
conditions. Reading is strict: an error names the file, the line and the column.
"""

from __future__ import annotations

import csv
import io
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from emovox.evaluation.figures.predictions import COLUMNS, NO_ANSWER, Predictions, Row
from emovox.schema.errors import PredictionsError
from emovox.schema.figure import TILE, FigureKey
from emovox.schema.files import replacing, write_whole
from emovox.schema.text import csv_line, guarded, unguarded

CLIPS = COLUMNS[:-1]
"""Columns of a list of clips: all but those of a model's predictions."""

IDENTITY = "identity"
"""Folder of `results/` that holds the lists of clips."""

PERCENT = 100

_ABOUT = re.compile(r"# scores in percent; rows as in (?P<file>\S+), crc32 (?P<crc>[0-9a-f]{8})")

_NEAR = 1.0
"""A score within one percent of the highest keeps all its digits, so that none is rounded above the highest."""

Lines = list[tuple[int, list[str]]]
"""Line number and cells."""


def read_predictions(path: str | os.PathLike[str]) -> Predictions:
    """Return the predictions of a CSV of either kind.

    Raises:
        PredictionsError: no such file, a missing column, an unknown label, a score that is not a number in its range, a
            duplicate utterance, or a list of clips that does not fit; the message names the file, the line and the
            column.
    """
    path = Path(path)
    text = _text(path)
    about, table = text.split("\n", 1) if text.startswith("# ") and "\n" in text else ("", text)
    lines = _lines(table, path, first=1 + bool(about))
    if about:
        lines = _beside(lines, _clips(about, path), path)
    header = lines[0][1] if lines else []
    classes = _classes(header, path)
    whole = PERCENT if about else 1
    rows = {number: _row(cells, classes, whole, f"{path}: line {number}") for number, cells in lines[1:]}
    if not rows:
        raise PredictionsError(f"{path}: got a header without rows, expected at least one prediction")
    _check_unique(rows, path)
    return Predictions.from_rows(rows.values(), classes)


def write_predictions(predictions: Predictions, path: str | os.PathLike[str]) -> None:
    """Write the complete CSV, scores with 6 significant digits, as a whole; its folder is made if it is missing.

    Raises:
        ConfigError: the file cannot be written.
    """
    with replacing(path, make_folder=True) as file:
        file.write(header_line(predictions.classes).encode())
        file.writelines(row_line(row, predictions.classes).encode() for row in predictions.rows())


def write_figure(predictions: Predictions, key: FigureKey, results: Path) -> Path:
    """Write the small CSV of a published figure, and the list of its clips if it is missing.

    On the path of `predict` the highest score has six significant digits, as calibration depends on it, and the others
    have two. Under other conditions the highest has four, and the others are whole percents.

    Args:
        predictions: of one corpus.
        key: identity of the figure.
        results: the folder of all figures.

    Returns:
        The path of the CSV.

    Raises:
        ConfigError: a file cannot be written.
    """
    clips = _listed(predictions)
    crc = f"{zlib.crc32(clips.encode()):08x}"
    listing = results / IDENTITY / f"{key.clips}.csv"
    if listing.is_file() and _text(listing) != clips:  # other folds, or fewer clips
        listing = listing.with_name(f"{key.clips}_{crc}.csv")
    write_whole(listing, clips.encode(), make_folder=True)
    path = results / key.model / f"{key.stem}.csv"
    relative = Path(os.path.relpath(listing, path.parent)).as_posix()
    about, fine = f"# scores in percent; rows as in {relative}, crc32 {crc}\n", key.condition == TILE
    lines = [about, _line(["predicted", *predictions.classes])]
    lines += [_line([row.predicted, *_percents(row.scores, predictions, fine=fine)]) for row in predictions.rows()]
    write_whole(path, "".join(lines).encode(), make_folder=True)
    return path


def header_line(classes: Sequence[str]) -> str:
    """Return the first line of the complete CSV."""
    return _line([*COLUMNS, *classes])


def row_line(row: Row, classes: Sequence[str], *, digits: int = 6) -> str:
    """Return one line of the complete CSV, scores with `digits` significant digits."""
    scores = [""] * len(classes) if row.scores is None else [f"{score:.{digits}g}" for score in row.scores]
    return _line([*row[: len(COLUMNS)], *scores])


def _listed(predictions: Predictions) -> str:
    return "".join([_line(CLIPS), *(_line(row[: len(CLIPS)]) for row in predictions.rows())])


def _line(cells: Sequence[object]) -> str:
    return csv_line([guarded(cell) for cell in cells])


def _percents(scores: Sequence[float] | None, predictions: Predictions, *, fine: bool) -> list[str]:
    if scores is None:
        return [""] * len(predictions.classes)
    values = [PERCENT * score for score in scores]
    limit = max(values) - _NEAR
    top, rest = ("{:.6g}".format, _two_digits) if fine else ("{:.4g}".format, "{:.0f}".format)
    return [top(value) if value > limit else rest(value) for value in values]


def _two_digits(value: float) -> str:
    """Return a number with two significant digits, but at most four decimals."""
    return f"{float(f'{value:.2g}'):.4f}".rstrip("0").rstrip(".")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PredictionsError(f"{path}: cannot be read ({error.strerror}); expected a predictions CSV") from error
    except UnicodeDecodeError as error:
        raise PredictionsError(f"{path}: not UTF-8 text ({error.reason}); expected a predictions CSV") from error


def _lines(table: str, path: Path, *, first: int = 1) -> Lines:
    reader = csv.reader(io.StringIO(table, newline=""), strict=True)
    try:
        return [(reader.line_num + first - 1, [unguarded(cell) for cell in cells]) for cells in reader if cells]
    except csv.Error as error:
        raise PredictionsError(f"{path}: line {reader.line_num + first - 1}: not valid CSV ({error})") from error


def _clips(about: str, path: Path) -> list[list[str]]:
    """Return the list of clips that the first line of a small CSV names."""
    match = _ABOUT.fullmatch(about)
    if match is None:
        raise PredictionsError(
            f"{path}: line 1: got '{about}', expected '# scores in percent; rows as in FILE, crc32 …'"
        )
    listing = path.parent / match["file"]
    text = _text(listing)
    crc = f"{zlib.crc32(text.encode()):08x}"
    if crc != match["crc"]:
        raise PredictionsError(
            f"{path}: line 1: its clips have the crc32 {match['crc']}, {listing} has {crc}; expected the same clips"
        )
    return [cells for _, cells in _lines(text, listing)]


def _beside(lines: Lines, clips: list[list[str]], path: Path) -> Lines:
    """Return lines with the columns of the clips before those of the model."""
    if lines and lines[0][1][0] != COLUMNS[-1]:
        raise PredictionsError(f"{path}: line 2, column 1: got '{lines[0][1][0]}', expected '{COLUMNS[-1]}'")
    if len(clips) != len(lines):
        raise PredictionsError(
            f"{path}: got {len(lines) - 1} rows, expected {len(clips) - 1}, one for each listed clip"
        )
    return [(number, [*clip, *cells]) for clip, (number, cells) in zip(clips, lines, strict=True)]


def _classes(header: list[str], path: Path) -> tuple[str, ...]:
    for position, name in enumerate(COLUMNS):
        if position >= len(header) or header[position] != name:
            got = f"'{header[position]}'" if position < len(header) else "nothing"
            raise PredictionsError(
                f"{path}: line 1, column {position + 1}: got {got}, expected '{name}'; "
                f"the header is {','.join(COLUMNS)},<class names>"
            )
    classes = tuple(header[len(COLUMNS) :])
    if len(classes) < 2 or len(set(classes)) != len(classes) or not all(classes):
        raise PredictionsError(f"{path}: line 1: got classes {list(classes)}, expected two or more different names")
    return classes


def _row(cells: list[str], classes: tuple[str, ...], whole: float, where: str) -> Row:
    width = len(COLUMNS) + len(classes)
    if len(cells) != width:
        raise PredictionsError(f"{where}: got {len(cells)} columns, expected {width}")
    for column, value, allowed in (("label", cells[4], classes), ("predicted", cells[5], (*classes, NO_ANSWER))):
        if value not in allowed:
            raise PredictionsError(f"{where}, column '{column}': got '{value}', expected one of {', '.join(classes)}")
    texts = cells[len(COLUMNS) :]
    corpus, utterance, speaker, fold, label, predicted = cells[: len(COLUMNS)]
    scores = None
    if predicted != NO_ANSWER or any(texts):
        scores = [_score(text, whole, f"{where}, column '{name}'") for name, text in zip(classes, texts, strict=True)]
    if predicted == NO_ANSWER and scores is not None:
        raise PredictionsError(f"{where}, column 'predicted': got nothing beside scores, expected a label")
    return Row(corpus, utterance, speaker, fold, label, predicted, scores)


def _check_unique(rows: Mapping[int, Row], path: Path) -> None:
    seen: dict[tuple[str, str], int] = {}
    for line, row in rows.items():
        first = seen.setdefault((row.corpus, row.utterance), line)
        if first != line:
            raise PredictionsError(
                f"{path}: line {line}, column 'utterance': '{row.utterance}' of corpus '{row.corpus}' is a duplicate "
                f"of line {first}; expected each utterance once"
            )


def _score(text: str, whole: float, where: str) -> float:
    try:
        score = float(text)
    except ValueError:
        raise PredictionsError(f"{where}: got '{text}', expected a number") from None
    if not 0 <= score <= whole:
        raise PredictionsError(f"{where}: got {text}, expected a probability from 0 to {whole:g}")
    return score / whole
