"""The one decorator of all Numba kernels: compiled at the first call, kept on disk, without the global lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

CONTRACT = frozenset({"contract"})
"""Allows fused multiply-add: one rounding fewer, while sums keep their order whatever the width of vectors."""


def compiled(flags: frozenset[str] = frozenset(), *, inline: bool = False) -> Callable[[F], F]:
    """Compile a function with Numba at its first call and cache the machine code for the next process.

    The cache lies in `__pycache__` beside the source, or in Numba's folder of the user when that is read-only, or in
    `NUMBA_CACHE_DIR`. Where none of them can be written (a container without a home) Numba refuses to decorate at all;
    the kernel is then compiled anew in every process, which costs about a second each.

    Args:
        flags: LLVM fast-math flags that the function tolerates; none by default (strict IEEE arithmetic).
        inline: copy the body into its callers, for a few lines that an inner loop calls.

    Returns:
        A decorator that keeps the function's type.

    >>> @compiled()
    ... def double(value: int) -> int:
    ...     return 2 * value
    >>> double(21)
    42
    """

    def decorate(function: F) -> F:
        options: dict[str, Any] = {"nogil": True, "fastmath": set(flags), "inline": "always" if inline else "never"}
        try:
            kernel: F = numba.njit(cache=True, **options)(function)
        except RuntimeError:
            kernel = numba.njit(**options)(function)
        return kernel

    return decorate
