"""A process of its own with one thread in every library, so that no side gains from idle cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def on_one_core(work: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
    """Run a function in a process of its own whose libraries have one thread each.

    It is not bound to a core: on a busy machine the system may then move it to the quieter one.

    Args:
        work: a function of a module.
        *args: picklable.
        **kwargs: picklable.

    Returns:
        What it returns, which must be picklable.
    """
    with _one_thread(), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


@contextmanager
def _one_thread() -> Iterator[None]:
    # libraries read these once, when they are loaded: in a spawned child that is after it has inherited them
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
