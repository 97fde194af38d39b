"""CPU cores, signals that end a process, and worker processes that end with their parent."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Collection
from multiprocessing import parent_process


def usable_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_running(number: int) -> bool:
    """Return whether a process of this number runs on this machine; True where that cannot be asked without harm."""
    if sys.platform == "win32":  # there, a signal would end it
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to another user
        return True
    return True


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that ask this process to end: interrupt, termination, hang-up.

    Signals that the process ignores from its start (under `nohup`, as a background job) are left out.
    """
    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return tuple(number for number in known if signal.getsignal(number) != signal.SIG_IGN)


def is_forced_exit(number: int, before: Collection[int]) -> bool:
    """Return whether a signal forces this process to exit at once, without a graceful shutdown.

    A second interrupt or termination forces the exit. A hang-up never does, since shell and kernel may both report a
    closed terminal. In a worker process only a second interrupt does: a termination of the whole process group reaches
    it twice, directly and from its parent.

    Args:
        number: number of the signal.
        before: numbers of the earlier signals.
    """
    if parent_process() is not None:
        return number == signal.SIGINT and number in before
    return bool(before) and number in (signal.SIGINT, signal.SIGTERM)


def obey_parent(orphaned: Callable[[], object] = lambda: os._exit(1)) -> None:
    """Ignore interrupts and hang-ups in a worker process, and end it when its parent ends.

    The parent handles these signals, since a worker that dies while it holds the queue blocks the others.

    Args:
        orphaned: called in a separate thread when the parent is dead; by default the process exits at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def watch() -> None:
        """Wait for the end of the parent."""
        if (parent := parent_process()) is not None:
            parent.join()
            orphaned()

    threading.Thread(target=watch, name="emovox-parent", daemon=True).start()
