"""Files that appear under their name whole or not at all, whenever the process is stopped."""

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
    """Open a file for writing bytes; it takes its place, or that of an older one, when the block has ended.

    Until then it lies beside its place under a hidden name with the number of the process. If the block raises or
    writes nothing, nothing is left of it, and an older file stays as it was. A pipe or a device such as /dev/null is
    written to directly: it must not be replaced by a file.

    Args:
        path: where the file shall appear.
        make_folder: whether to make the folder that it lies in; otherwise a missing one is an error.

    Raises:
        ConfigError: the file cannot be made, written (the disk is full) or put in its place.
    """
    target = Path(os.path.realpath(path))  # of a link, what it points to is written, and the link stays
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
    """Write all of a file at once; arguments and errors as for `replacing`."""
    with replacing(path, make_folder=make_folder) as file:
        file.write(data)
