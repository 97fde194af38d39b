"""Which recordings of an archive share a voice: those of a folder, or those of a value in a table of recordings."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from emovox.batch.job import BatchAdapt
from emovox.schema.errors import ConfigError
from emovox.schema.text import printable_name, some

FILE = "file"
"""Column of a table with the paths of the recordings below the folder, as in the output."""

Voice = str | bytes | int
"""Key of a voice: a value of the table, a folder, or the index of a recording that has a voice of its own."""

VoiceOf = Callable[[int], Voice]
"""Returns the voice of a recording, by its index."""


class Adapting(NamedTuple):
    """How an archive is adapted.

    Attributes:
        adapt: to what the scores are adapted.
        speaker: name of a learnt speaker; None: nobody.
        source: name of a learnt room, line or folder; None: none.
        column: column of the table that names the voices, for "column".
        table: CSV with the columns `file` and `column`, for "column".
    """

    adapt: BatchAdapt = "off"
    speaker: str | None = None
    source: str | None = None
    column: str | None = None
    table: Path | None = None


NO_ADAPTING = Adapting()
"""Scores are not adapted."""


class VoiceTable:
    """A table of recordings that is read already.

    Args:
        path: of the table.
        column: that names the voices.

    Raises:
        ConfigError: it cannot be read, is no CSV, or lacks a column.
    """

    def __init__(self, path: Path, column: str) -> None:
        self._path = path
        try:
            data = path.read_bytes()
            rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
            header, lines = rows.fieldnames or [], list(rows)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigError(f"{path}: cannot be read ({error}), expected a CSV table in UTF-8") from error
        if not {FILE, column} <= set(header):
            raise ConfigError(
                f"{path}: got the columns {some(header) or '(none)'}, expected '{FILE}' and '{column}', separated by "
                "commas; give another --column, or rename one"
            )
        self.digest = hashlib.sha256(data).hexdigest()
        self._voices = self._unique((row[FILE] or "", row[column] or "") for row in lines)

    def finder(self, names: Sequence[bytes]) -> VoiceOf:
        """Return which recording is of which voice. One whose value is empty has a voice of its own.

        Args:
            names: paths of all recordings below the folder.

        Raises:
            ConfigError: the table lacks a recording.
        """
        files = [printable_name(name).replace(os.sep, "/") for name in names]
        missing = [file for file in files if file not in self._voices]
        if missing:
            raise ConfigError(
                f"{self._path}: got no row for {len(missing)} of {len(files)} recordings ({some(missing)}), expected "
                f"one for each, with its path below the folder as '{FILE}'; add them, with an empty value if the voice "
                "is unknown"
            )
        voices = [self._voices[file] for file in files]
        return lambda index: voices[index] or index

    def _unique(self, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
        voices: dict[str, str] = {}
        for file, voice in pairs:
            if voices.setdefault(file, voice) != voice:
                raise ConfigError(
                    f"{self._path}: got '{file}' with '{voices[file]}' and with '{voice}', expected one value for each "
                    "recording; remove one of the rows"
                )
        return voices


def folder_finder(names: Sequence[bytes]) -> VoiceOf:
    """Return which recording is of which folder, from the paths of all recordings."""
    return lambda index: os.path.dirname(names[index])
