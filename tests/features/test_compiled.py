from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from emovox.features.compiled import compiled

MODULES = ("delta", "energy", "mel", "pitch", "spectral", "spectrum")

COUNT_CACHE = """
import numpy as np
from emovox.features import energy, spectral
energy.rms(np.ones(1000, np.float32))
spectral.centroid(np.ones((2, 5), np.float32), np.arange(5.0))
kernels = [energy._root_mean_squares, spectral._centroids]
print(sum(sum(k.stats.cache_hits.values()) for k in kernels), sum(sum(k.stats.cache_misses.values()) for k in kernels))
"""


def kernels() -> dict[str, Any]:
    modules = [import_module(f"emovox.features.{name}") for name in MODULES]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if hasattr(value, "py_func") and value.__module__ == module.__name__
    }


def hits_and_misses(cache: Path) -> tuple[int, int]:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", COUNT_CACHE], env=environment, capture_output=True, text=True, check=True
    )
    hits, misses = done.stdout.split()
    return int(hits), int(misses)


def test_a_second_process_does_not_compile_again(tmp_path: Path) -> None:
    assert hits_and_misses(tmp_path) == (0, 2)
    assert hits_and_misses(tmp_path) == (2, 0)
    for damaged in tmp_path.rglob("*.nbi"):  # compiled again, and no error for ever
        damaged.write_bytes(b"")
    assert hits_and_misses(tmp_path) == (0, 2)
    assert hits_and_misses(tmp_path) == (2, 0)


def test_every_kernel_is_cached_and_releases_the_lock() -> None:
    found = kernels()
    assert len(found) >= 12, sorted(found)
    for name, kernel in found.items():
        assert kernel.targetoptions["nogil"], name
        assert type(kernel._cache).__name__ == "FunctionCache", name


def test_without_a_place_for_the_cache_kernels_still_work() -> None:
    # code that came from no file has no folder: the same refusal as on a read-only system without a home
    space: dict[str, Any] = {}
    exec(compile("def triple(x):\n    return 3 * x\n", "<nowhere>", "exec"), space)
    kernel = compiled()(space["triple"])
    assert kernel(np.float32(2)) == 6
    assert type(kernel._cache).__name__ == "NullCache"


def test_flags_default_to_strict_arithmetic() -> None:
    @compiled()
    def residue(x: float) -> float:
        return (x + 1e30) - 1e30

    assert residue(1.0) == 0.0  # reassociation would give 1


def test_importing_the_package_loads_no_compiler() -> None:
    code = "import emovox.features, sys; print('numba' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
