"""Surroundings of the tests: signals as a terminal has them, and compiled code of its own for each worker."""

import os
import signal
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Undo what `nohup` and `&` leave behind; keep the workers of pytest-xdist out of each other's compiled code.

    Both start a run with signals that are ignored, and a process that a test starts and ends with such a signal would
    inherit that and never end. A handler, unlike an ignored signal, is not inherited.

    Two processes that fill Numba's cache at the same time can leave an index that names the other's code. librosa then
    crashes at every later call. A cache for each worker costs about 30 s of compiling, once.
    """
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else lambda *_: None)
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        os.environ["NUMBA_CACHE_DIR"] = str(Path(config.rootpath, ".pytest_cache", "numba", worker))
