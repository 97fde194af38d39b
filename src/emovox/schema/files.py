"""Atomic writing: a file appears complete or not at all, whenever the process stops."""

from __future__ import annotations

import errno
import os
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from emovox.schema.errors import ConfigError
from emovox.schema.processes import is_running

_LONGEST_NAME = 200
"""Bytes of a file's name in that of its unfinished file, at most; file systems allow 255 in all."""

_PART = re.compile(r"\..+\.(\d{1,10})\.part", re.DOTALL)


@contextmanager
def replacing(path: str | os.PathLike[str], *, make_folder: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing bytes; it appears at `path`, or replaces an older file, when the block ends.

    Until then the data are in the same folder, in a hidden file whose name has the process id. If the block raises or
    writes nothing, this file is removed and an older file stays unchanged. Those that killed processes left in the
    folder are removed, too. Data for a pipe or a device such as /dev/null are written directly, since a file must not
    replace it.

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
    _sweep(target.parent)
    part = target.with_name(_part_name(target.name))
    try:
        with part.open("wb") as file:
            _locked(file)
            yield file
            empty = file.tell() == 0
        if not empty:
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _part_name(name: str) -> str:
    """Return the name of an unfinished file; a long name is cut, so that it is not longer than a file system allows."""
    data = os.fsencode(name)
    if len(data) > _LONGEST_NAME:
        name = os.fsdecode(data[:_LONGEST_NAME]) + f"~{zlib.crc32(data):08x}"
    return f".{name}.{os.getpid()}.part"


@cache
def _sweep(folder: Path) -> None:
    """Remove unfinished files of killed processes from a folder, at the first file that this process writes there.

    Such a file has the number of a process that is gone, and nobody has it locked: on another machine, or in another
    container, that number may belong to a living process.
    """
    for path in folder.glob(".*.part"):
        match = _PART.fullmatch(path.name)
        if match is None or is_running(int(match[1])):
            continue
        with suppress(OSError), path.open("rb") as file:
            if _locked(file):
                path.unlink()


def _locked(file: BinaryIO) -> bool:
    """Lock a file until it is closed; return False if another process has locked it."""
    if sys.platform == "win32":
        return True  # open files cannot be removed there
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def write_whole(path: str | os.PathLike[str], data: bytes, *, make_folder: bool = False, private: bool = False) -> None:
    """Write a whole file in one call; arguments and errors as for `replacing`.

    Only its owner may read a private one.
    """
    with replacing(path, make_folder=make_folder) as file:
        if private and sys.platform != "win32":
            os.fchmod(file.fileno(), 0o600)
        file.write(data)


def check_writable(path: str | os.PathLike[str], *, make_folder: bool = False) -> None:
    """Check that a file can be written, before long work; an older file stays, and none appears.

    Raises:
        ConfigError: it cannot be created there.
    """
    with replacing(path, make_folder=make_folder):
        pass


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process or thread is in this block with the same path, and keep others out of it.

    The lock ends with the process, however that ends. A file system without locks keeps nobody out.

    Args:
        path: of the lock, an empty file, which stays.

    Raises:
        ConfigError: the file cannot be made.
    """
    try:
        file = path.open("ab")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror or error}); expected a folder that you may write to"
        ) from error
    with file:
        _wait_for_lock(file)
        yield


def _wait_for_lock(file: BinaryIO) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        while True:  # it gives up after ten seconds
            with suppress(OSError):
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                return
    import fcntl

    with suppress(OSError):  # a file system without locks
        fcntl.flock(file, fcntl.LOCK_EX)
