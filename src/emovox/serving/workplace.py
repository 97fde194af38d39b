"""The private folder of a running service: states of jobs, counters that workers share. Never audio."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "emovox-serve-"


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """Make a folder with `jobs` and `metrics` that only this user may read; it is deleted afterwards.

    What a service left behind that was killed is deleted first: its name tells the process.
    """
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    try:
        for name in ("jobs", "metrics"):
            (folder / name).mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(folder: Path) -> None:
    for left in folder.glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if pid.isdecimal() and not is_alive(int(pid)):
                shutil.rmtree(left, ignore_errors=True)  # somebody else's stays: it may not be deleted


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
