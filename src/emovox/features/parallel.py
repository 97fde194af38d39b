"""Work on many recordings in several processes: in order, with bounded memory, and ending with the parent."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

AHEAD = 4
"""Items in work or waiting to be taken, for each worker: bounds the memory however many there are."""


def parallel(work: Callable[[Item], Answer], items: Sequence[Item], workers: int) -> Iterator[Answer]:
    """Yield `work(item)` of every item, in the order of the items.

    Args:
        work: picklable: a function of a module, or a partial of one.
        items: picklable.
        workers: processes, >= 1.
    """
    # spawn, not fork: progress bars and inference sessions hold threads, which a fork would copy half alive
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_obey_parent)
    waiting: deque[Future[Answer]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _obey_parent() -> None:
    """Leave interrupts to the parent, since a worker that dies in the queue blocks the others; die when it is dead."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
