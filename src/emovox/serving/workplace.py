"""The private folder of a running service: states of jobs, counters that workers share. Never audio."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

_PREFIX = "emovox-serve-"


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """Make a folder with `jobs` and `metrics` that only this user may read; it is deleted afterwards.

    What a service left behind that was killed is deleted first: nobody holds its lock any more. A process's number
    would not tell, since another container has its own.
    """
    root = Path(tempfile.gettempdir())
    _sweep(root)
    folder, unlock = _make_locked(root)
    try:
        for name in ("jobs", "metrics"):
            (folder / name).mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        unlock()


def _make_locked(root: Path) -> tuple[Path, Callable[[], None]]:
    """Make a folder and lock it; again, should somebody have swept it in between."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        with contextlib.suppress(OSError):
            unlock = _lock(folder)
            if folder.exists():
                return folder, unlock
            unlock()


def _sweep(root: Path) -> None:
    for folder in root.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody works there, or it is somebody else's
            unlock = _lock(folder)
            if sys.platform != "win32":  # there is no lock, and so nothing tells
                shutil.rmtree(folder, ignore_errors=True)
            unlock()


def _lock(folder: Path) -> Callable[[], None]:
    """Lock a folder until the result is called, or the process ends.

    Raises:
        OSError: it is locked, is no folder, or may not be opened.
    """
    if sys.platform == "win32":
        return lambda: None
    import fcntl

    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return lambda: os.close(file)


def is_alive(pid: int) -> bool:
    """Tell whether there is a process of this number.

    >>> is_alive(os.getpid())
    True
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
