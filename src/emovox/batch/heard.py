"""Groups of recordings after the first of two passes, as files beside the output. Each file is whole or absent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from emovox.batch.job import Answer
from emovox.batch.parts import HEARD_SUFFIX, PartNote
from emovox.schema.errors import ArchiveError
from emovox.schema.files import write_whole

_LENGTH = 8
"""Bytes of the length of the note, and of that of the answers, which stand before them."""

_encode = msgspec.msgpack.Encoder().encode
_note = msgspec.msgpack.Decoder(PartNote)
_answers = msgspec.msgpack.Decoder(list[Answer])


class HeardParts:
    """The files of the first pass in a folder: a note about each group, and the answers with what is kept of them.

    Args:
        folder: an existing folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, number: int, answers: Sequence[Answer], note: PartNote) -> None:
        """Write group `number`.

        Raises:
            ConfigError: it cannot be written.
        """
        parts = (_encode(note), _encode(answers))
        lengths = b"".join(len(part).to_bytes(_LENGTH, "little") for part in parts)
        write_whole(self._path(number), lengths + b"".join(parts), private=True)

    def note(self, number: int) -> PartNote | None:
        """Return the note about group `number`; None if the file does not exist, is cut off or cannot be read."""
        try:
            with self._path(number).open("rb") as file:
                first, second = (int.from_bytes(file.read(_LENGTH), "little") for _ in range(2))
                whole = 2 * _LENGTH + first + second
                return _note.decode(file.read(first)) if os.fstat(file.fileno()).st_size == whole else None
        except (OSError, OverflowError, msgspec.DecodeError):
            return None

    def answers(self, number: int) -> list[Answer]:
        """Return the answers of group `number`.

        Raises:
            ArchiveError: the file is damaged.
        """
        path = self._path(number)
        try:
            data = path.read_bytes()
            first = int.from_bytes(data[:_LENGTH], "little")
            return _answers.decode(memoryview(data)[2 * _LENGTH + first :])
        except (OSError, msgspec.DecodeError) as error:
            raise damaged(path, error) from error

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:07d}{HEARD_SUFFIX}"


def damaged(path: Any, error: Exception) -> ArchiveError:
    """Return the error of a file that was written whole and cannot be used any more."""
    return ArchiveError(f"{path}: is damaged ({error}); remove it, and continue with --resume")
