"""User recordings in a table: CSV with the columns path, label, speaker [, sex, language, sentence] and any others."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import msgspec

from emovox.corpora.clips import LabelledFile
from emovox.corpora.label_map import LabelMap, apply_label_map
from emovox.corpora.layout import SEX_LETTERS, ClipRow
from emovox.schema.errors import ManifestError
from emovox.schema.text import bad_lines, tidy_name

REQUIRED = ("path", "label")
OPTIONAL = ("speaker", "sex", "language", "sentence")
"""Columns of a table. Others are kept in the manifest."""

_SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?\r?\n', re.IGNORECASE)
"""First line of a table of Excel that names its separator."""


class TableRows(msgspec.Struct, frozen=True):
    """The recordings of a table in its order, and those that do not exist, as "line 3: a.wav"."""

    rows: tuple[LabelledFile, ...]
    missing: tuple[str, ...]


def read_table(path: Path, *, labels: LabelMap | None = None, partial: bool = False) -> TableRows:
    """Return the recordings of a table; relative paths start at the folder of the table.

    Capitals in the header, spaces around cells, empty lines, empty cells at the end of a line, `M` and `F`, and
    backslashes in paths are understood.

    Args:
        path: a .csv (comma or semicolon) or .tsv file with a header line, in UTF-8.
        labels: label map; without one, labels are unchanged.
        partial: whether to list recordings that do not exist as missing, instead of an error.

    Raises:
        ManifestError: the file does not exist, a column is missing, or lines are not valid: too many cells, an empty
            cell, another sex, a recording that appears twice. The message has all of these lines.
        CorpusError: labels are not in the map.
    """
    header, lines = _read_lines(path)
    columns = _columns(path, header)
    rows: list[tuple[int, Path, ClipRow]] = []
    missing: list[str] = []
    problems: dict[int, str] = {}
    first: dict[str, int] = {}
    for number, cells in lines:
        try:
            row = _read_row(columns, cells)
        except ValueError as error:
            problems[number] = str(error)
            continue
        spelling = _recording(path.parent, row.id)
        if spelling is None and partial:
            missing.append(f"line {number}: {row.id}")
            continue
        if spelling is None:
            file = path.parent / row.id
            problems[number] = f"the column 'path' names {file}, which is not a file; correct it, or use --partial"
            continue
        file = path.parent / spelling
        if (before := first.setdefault(os.path.abspath(file), number)) != number:
            problems[number] = f"the column 'path' names {row.id} twice, line {before} has it already"
        rows.append((number, file, msgspec.structs.replace(row, id=spelling)))
    if problems:
        raise ManifestError(f"{path}, {bad_lines(problems)}")
    if not lines:
        raise ManifestError(f"{path}: has no rows below the header, expected one for each recording")
    natives = [(f"{path}, line {number}", row.native or "") for number, _, row in rows]
    mapped = apply_label_map(natives, labels)
    return TableRows(
        tuple((file, row, label) for (_, file, row), label in zip(rows, mapped, strict=True)), tuple(missing)
    )


def _read_lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header, and number and cells of each line that is not empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read ({error}), expected a CSV table in UTF-8") from error
    named = _SEPARATOR_LINE.match(text)
    header = text.lstrip().partition("\n")[0]
    separator = named[1] if named else max(_SEPARATORS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise ManifestError(f"{path}, line {reader.line_num}: not valid CSV ({error}); save it again") from error
    filled = [(number, cells) for number, cells in lines[bool(named) :] if any(cells)]
    return (filled[0][1] if filled else []), filled[1:]


def _columns(path: Path, header: Sequence[str]) -> list[str]:
    """Return the names of the columns; those of this module in lower case, others as they are."""
    known = REQUIRED + OPTIONAL
    names = [tidy_name(name) or f"column {number}" for number, name in enumerate(header, start=1)]
    names = [name.casefold() if name.casefold() in known else name for name in names]
    absent = [name for name in known if name not in names]
    close = {name: get_close_matches(name.casefold(), absent, n=1, cutoff=0.8) for name in names}
    alike = [f"'{name}' for '{meant[0]}'" for name, meant in close.items() if meant]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or alike or set(absent) & set(REQUIRED):
        reason = f" ({', '.join(twice)} twice)" if twice else f" ({', '.join(alike)}?)" if alike else ""
        raise ManifestError(
            f"{path}, line 1: got the columns {', '.join(header) or '(none)'}{reason}; expected "
            f"{', '.join(REQUIRED)} and, if known, {', '.join(OPTIONAL)}; rename them; others are kept"
        )
    return names


def _read_row(columns: Sequence[str], cells: Sequence[str]) -> ClipRow:
    """Return the row of a line; its id is the path.

    Raises:
        ValueError: says what is wrong with the line.
    """
    if any(cells[len(columns) :]):
        raise ValueError(f"got {len(cells)} cells, expected {len(columns)}; put a text with a separator in quotes")
    values = dict(zip(columns, cells, strict=False))
    for name in REQUIRED:
        if not values.get(name):
            raise ValueError(f"the column '{name}' is empty, expected text")
    sex = values.get("sex", "").casefold()
    data = {
        "id": values["path"],
        "native": values["label"],
        "speaker": values.get("speaker") or None,
        "sex": SEX_LETTERS.get(sex, sex) or None,
        "language": values.get("language", "").casefold() or None,
        "sentence": values.get("sentence") or None,
        "extra": {name: text for name, text in values.items() if name not in REQUIRED + OPTIONAL and text},
    }
    try:
        return msgspec.convert(data, ClipRow)
    except msgspec.ValidationError:
        raise ValueError(f"got '{values['sex']}', expected male, female or nothing in the column 'sex'") from None


def _recording(folder: Path, name: str) -> str | None:
    """Return the spelling of a path that exists: as it is, with backslashes as separators, in NFC or NFD."""
    for spelt in (name, name.replace("\\", "/")):
        for form in (spelt, unicodedata.normalize("NFC", spelt), unicodedata.normalize("NFD", spelt)):
            if os.path.isfile(folder / form):  # pathlib raises if a name is too long
                return form
    return None
