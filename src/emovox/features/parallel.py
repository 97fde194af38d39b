"""Work on many recordings in several processes: in order, with bounded memory, and ending with the parent.

On the standard library's pool, not on joblib: joblib hands out the next item whenever one is finished, not when an
answer is taken. Behind one slow recording it held the answers of 2191 others; this window holds 8 with two workers.
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
"""Items in work or waiting to be taken, for each worker: bounds the memory however many there are."""


def parallel(work: Callable[[Item], Answer], items: Sequence[Item], workers: int) -> Iterator[Answer]:
    """Yield `work(item)` of every item, in the order of the items.

    An error, an interrupt or an early close of the iterator kills the workers at once.

    Args:
        work: picklable: a function of a module, or a partial of one.
        items: picklable.
        workers: processes, >= 1.

    Raises:
        WorkerError: a worker died, as by a lack of memory.
    """
    others = set(active_children())
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
    except BrokenProcessPool as error:
        raise WorkerError(
            "a worker process died, expected an answer; look for its message above, and use fewer workers if memory "
            "is short"
        ) from error
    except BaseException:
        for process in set(active_children()) - others:
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
