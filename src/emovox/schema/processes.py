"""Cores, the signals that end a process, and worker processes, which end when their parent does, however it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Collection
from multiprocessing import parent_process


def usable_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that ask this process to end: interrupt, termination, hang-up.

    Those that it was started to ignore, as by `nohup` or as a background job, are not among them.
    """
    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return tuple(number for number in known if signal.getsignal(number) != signal.SIG_IGN)


def is_forced_exit(number: int, before: Collection[int]) -> bool:
    """Return whether a signal asks this process to end at once, not gracefully.

    A second interrupt or termination does. A hang-up never does: shell and kernel may both report that the terminal is
    gone. To a worker only a second interrupt does: a termination of the whole process group reaches it twice, directly
    and from its parent.

    Args:
        number: of the signal.
        before: numbers of the signals that came earlier.
    """
    if parent_process() is not None:
        return number == signal.SIGINT and number in before
    return bool(before) and number in (signal.SIGINT, signal.SIGTERM)


def obey_parent(orphaned: Callable[[], object] = lambda: os._exit(1)) -> None:
    """Leave interrupts and hang-ups to the parent, since a worker that dies in the queue blocks the others.

    Args:
        orphaned: called in a thread of its own when the parent is dead; unless given, the process exits at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def watch() -> None:
        if (parent := parent_process()) is not None:
            parent.join()
            orphaned()

    threading.Thread(target=watch, name="emovox-parent", daemon=True).start()
