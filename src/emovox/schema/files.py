"""Atomic writing: a file appears complete or not at all, whenever the process stops."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from emovox.schema.errors import ConfigError


@contextmanager
def replacing(path: str | os.PathLike[str], *, make_folder: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing bytes; it appears at `path`, or replaces an older file, when the block ends.

    Until then the data are in the same folder, in a hidden file whose name has the process id. If the block raises or
    writes nothing, this file is removed and an older file stays unchanged. Data for a pipe or a device such as
    /dev/null are written directly, since a file must not replace it.

    Args:
        path: path of the finished file.
        make_folder: whether to create a missing parent folder; otherwise it is an error.

    Raises:
        ConfigError: the file cannot be created, written (the disk is full) or moved to its path.
    """
    target = Path(os.path.realpath(path))  # replaces the target of a link and keeps the link
    try:
        if make_folder:
            target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.exists() and not target.is_file():
            with target.open("wb") as device:
                yield device
        else:
            yield from _replacing(target)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror or error}); expected a path in an existing folder "
            "that you may write to, with room for it"
        ) from error


def _replacing(target: Path) -> Iterator[BinaryIO]:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            empty = file.tell() == 0
        if not empty:
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike[str], data: bytes, *, make_folder: bool = False) -> None:
    """Write a whole file in one call; arguments and errors as for `replacing`."""
    with replacing(path, make_folder=make_folder) as file:
        file.write(data)
