"""Which machine a figure was measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

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
