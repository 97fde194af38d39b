"""Work on many recordings in several processes: in order, with bounded memory, and ending with the parent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from emovox.schema.processes import obey_parent

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
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=obey_parent)
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
