"""Files that appear under their name whole or not at all, whenever the process is stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from emovox.schema.errors import ConfigError


@contextmanager
def replacing(path: str | os.PathLike[str], *, make_folder: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing bytes; it takes its place, or that of an older one, when the block has ended.

    Until then it lies beside its place under a hidden name with the number of the process. If the block raises or
    writes nothing, nothing is left of it, and an older file stays as it was.

    Args:
        path: where the file shall appear.
        make_folder: whether to make the folder that it lies in; otherwise a missing one is an error.

    Raises:
        ConfigError: the file cannot be made, or not be put in its place.
    """
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if make_folder:
            target.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("wb")
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        with file:
            yield file
            empty = file.tell() == 0
        if not empty:
            _rename(part, target)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike[str], data: bytes, *, make_folder: bool = False) -> None:
    """Write all of a file at once; arguments and errors as for `replacing`."""
    with replacing(path, make_folder=make_folder) as file:
        file.write(data)


def _rename(part: Path, target: Path) -> None:
    try:
        part.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(target: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{target}: cannot be written ({error.strerror}); expected a path in an existing folder that you may write to"
    )
