"""User recordings in a table: CSV with the columns path, label, speaker [, sex, language, sentence]."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import msgspec

from emovox.corpora.clips import LabelledFile
from emovox.corpora.label_map import LabelMap, apply_label_map
from emovox.corpora.layout import ClipRow
from emovox.schema.errors import ManifestError

REQUIRED = ("path", "label")
OPTIONAL = ("speaker", "sex", "language", "sentence")
"""Columns of a table."""


def read_table(table: Path, *, labels: LabelMap | None = None) -> list[LabelledFile]:
    """Return the recordings of a table; relative paths start at the folder of the table.

    Args:
        table: a .csv (comma or semicolon) or .tsv file with a header line, in UTF-8.
        labels: label map; without one, labels are unchanged.

    Returns:
        (file, row, mapped label), in the order of the table.

    Raises:
        ManifestError: the file does not exist, a column is missing or unknown, a cell is empty or not valid (the
            message has line and column), or a recording does not exist or appears twice.
        CorpusError: a label is not in the map.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{table}: cannot be read ({error}), expected a CSV table in UTF-8") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise ManifestError(f"{table}, line {reader.line_num}: not valid CSV ({error}); save it again") from error
    _check_columns(table, [name.strip() for name in reader.fieldnames or []])
    rows = []
    for number, cells in lines:
        where = f"{table}, line {number}"
        values = {(name or "").strip(): (text or "").strip() for name, text in cells.items() if isinstance(text, str)}
        rows.append(_read_cells(values, folder=table.parent, labels=labels, where=where))
    _check_rows(table, rows)
    return rows


def _check_columns(table: Path, names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    unknown = [name for name in names if name not in REQUIRED + OPTIONAL]
    if missing or unknown:
        raise ManifestError(
            f"{table}, line 1: got the columns {', '.join(names) or '(none)'}; expected {', '.join(REQUIRED)} and, if "
            f"known, {', '.join(OPTIONAL)}; rename or remove the others"
        )


def _read_cells(values: dict[str, str], *, folder: Path, labels: LabelMap | None, where: str) -> LabelledFile:
    for name in REQUIRED:
        if not values.get(name):
            raise ManifestError(f"{where}: the column '{name}' is empty, expected text")
    file = folder / values["path"]
    if not os.path.isfile(file):  # pathlib raises if a name is too long
        raise ManifestError(f"{where}: the column 'path' names {file}, which is not a file; correct the path")
    data = {name: values.get(name) or None for name in OPTIONAL}
    try:
        row = msgspec.convert({"id": values["path"], "native": values["label"], **data}, ClipRow)
    except msgspec.ValidationError as error:
        raise ManifestError(f"{where}: {error}; expected male, female or nothing in the column 'sex'") from error
    label = values["label"] if labels is None else apply_label_map(values["label"], labels, where=where)
    return file, row, label


def _check_rows(table: Path, rows: list[LabelledFile]) -> None:
    if not rows:
        raise ManifestError(f"{table}: has no rows below the header, expected one for each recording")
    seen: set[str] = set()
    for _, row, _ in rows:
        if row.id in seen:
            raise ManifestError(f"{table}: the column 'path' names {row.id} twice, expected each recording once")
        seen.add(row.id)
