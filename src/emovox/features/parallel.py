"""Process many recordings in parallel: in order, with bounded memory, and workers that end with their parent.

It uses the standard library's pool, not joblib. joblib starts the next item when another finishes, not when a result
is read: behind one slow recording it held 2191 results. The window here holds 8 with two workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import TypeVar

from emovox.schema.errors import WorkerError
from emovox.schema.processes import obey_parent

Item = TypeVar("Item")
Answer = TypeVar("Answer")

AHEAD = 4
"""Most items in progress or not yet read, per worker; it bounds the memory for any number of items."""


def parallel(work: Callable[[Item], Answer], items: Sequence[Item], workers: int) -> Iterator[Answer]:
    """Yield `work(item)` for every item, in the order of the items.

    An error, an interrupt or an early close of the iterator kills the workers at once.

    Args:
        work: picklable: a module-level function, or a partial of one.
        items: picklable.
        workers: number of processes, >= 1.

    Raises:
        WorkerError: a worker process died, e.g. for lack of memory.
    """
    others = set(active_children())
    # spawn, not fork: progress bars and inference sessions have threads, which do not survive a fork.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=obey_parent)
    waiting: deque[Future[Answer]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise WorkerError(
            "a worker process died, expected a result; look for its message above, and use fewer workers if memory "
            "is short"
        ) from error
    except BaseException:
        for process in set(active_children()) - others:
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
