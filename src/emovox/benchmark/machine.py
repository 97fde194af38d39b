"""The machine of a measurement, and a process with one thread to measure in."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec

CPU_INFO = Path("/proc/cpuinfo")


class Machine(msgspec.Struct, frozen=True):
    """Name of the CPU, number of logical cores, operating system, versions of Python and of the relevant packages."""

    cpu: str
    cores: int
    system: str
    versions: dict[str, str]


def describe_machine(packages: Sequence[str]) -> Machine:
    """Return a description of this machine.

    Args:
        packages: distributions whose versions to list. They must be installed.
    """
    versions = {"python": platform.python_version()} | {name: version(name) for name in packages}
    return Machine(_cpu_name(), os.cpu_count() or 1, f"{platform.system()} {platform.machine()}", versions)


def _cpu_name() -> str:
    # platform.processor() is empty on most Linux systems
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text().splitlines():
            key, _, name = line.partition(":")
            if key.strip() == "model name":
                return name.strip()
    return platform.processor() or platform.machine()


THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Environment variables from which libraries take their number of threads."""

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def on_one_core(work: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
    """Run a function in a separate process whose libraries have one thread each, and return its result.

    The process is not bound to a core, so that a busy system can move it to a quieter one.

    Args:
        work: a function at the top level of a module, with a picklable result.
        *args: picklable arguments.
        **kwargs: picklable arguments.
    """
    with _one_thread(), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


@contextmanager
def _one_thread() -> Iterator[None]:
    # libraries read these once, when they are loaded; a spawned child has inherited them by then
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
