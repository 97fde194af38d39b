"""Cores and worker processes: these leave interrupts to their parent, and end when it does, however it ends."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import parent_process


def usable_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def obey_parent() -> None:
    """Leave interrupts to the parent, since a worker that dies in the queue blocks the others; die when it is dead."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
