"""Cores and worker processes: these leave interrupts to their parent, and end when it does, however it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import parent_process


def usable_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def obey_parent(orphaned: Callable[[], object] = lambda: os._exit(1)) -> None:
    """Leave interrupts to the parent, since a worker that dies in the queue blocks the others.

    Args:
        orphaned: called in a thread of its own when the parent is dead; unless given, the process exits at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        if (parent := parent_process()) is not None:
            parent.join()
            orphaned()

    threading.Thread(target=watch, name="emovox-parent", daemon=True).start()
