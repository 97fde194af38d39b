"""Which machine a figure was measured on, and measuring on one core of it."""

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
    """CPU by name, logical cores, operating system, and versions of Python and of the packages that matter."""

    cpu: str
    cores: int
    system: str
    versions: dict[str, str]


def describe_machine(packages: Sequence[str]) -> Machine:
    """Describe this machine.

    Args:
        packages: distributions whose versions to tell; they must be installed.
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
