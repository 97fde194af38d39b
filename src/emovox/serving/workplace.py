"""The private folder of a running service: states of jobs and the counters that workers share. It never has audio."""

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
    """Create a folder with `jobs` and `metrics` that only this user may read; it is deleted afterwards.

    Folders of killed services are deleted first: no process holds their locks any more. A process number would not do,
    since each container numbers its processes separately.
    """
    root = Path(tempfile.gettempdir())
    _sweep(root)
    folder, unlock = _make_locked(root)
    try:
        for name in ("jobs", "metrics"):
            (folder / name).mkdir()
        yield folder
    finally:
        _delete(folder)
        unlock()


def _delete(folder: Path) -> None:
    """Delete a folder, also while threads still write job states and if a signal handler raises meanwhile.

    It is renamed first, so that no state can be written into it any more. `_sweep` finds the new name, too.
    """
    gone = folder.with_name(f"{folder.name}.gone")
    try:
        with contextlib.suppress(OSError):
            folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    finally:
        for left in (folder, gone):
            shutil.rmtree(left, ignore_errors=True)


def _make_locked(root: Path) -> tuple[Path, Callable[[], None]]:
    """Create a folder and lock it; try again if another service deletes it in between."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        with contextlib.suppress(OSError):
            unlock = _lock(folder)
            if folder.exists():
                return folder, unlock
            unlock()


def _sweep(root: Path) -> None:
    for folder in root.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # a running service has locked it, or another user owns it
            unlock = _lock(folder)
            if sys.platform != "win32":  # without a lock a running service looks like a killed one
                shutil.rmtree(folder, ignore_errors=True)
            unlock()


def _lock(folder: Path) -> Callable[[], None]:
    """Lock a folder until the returned function is called, or the process ends.

    Raises:
        OSError: the folder is locked, is no folder, or cannot be opened.
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
