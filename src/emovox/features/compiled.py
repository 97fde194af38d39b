"""The decorator of all Numba kernels: compiled at the first call, cached on disk, without the global lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

CONTRACT = frozenset({"contract"})
"""Fast-math flags that allow fused multiply-add: one rounding fewer, and sums keep their order for any vector width."""


def compiled(flags: frozenset[str] = frozenset(), *, inline: bool = False) -> Callable[[F], F]:
    """Return a decorator that compiles a function at its first call and caches the machine code on disk.

    The cache is in `__pycache__` beside the source, in Numba's folder of the user if that is read-only, or in
    `NUMBA_CACHE_DIR`. If none of them is writable (a container without a home), Numba refuses to decorate with a cache.
    The kernel is then compiled in every process, which takes about a second each time.

    Args:
        flags: LLVM fast-math flags that the function tolerates; none by default (strict IEEE arithmetic).
        inline: whether to copy the body into its callers, for a few lines in an inner loop.

    Returns:
        A decorator that keeps the function's type.

    >>> @compiled()
    ... def double(value: int) -> int:
    ...     return 2 * value
    >>> double(21)
    42
    """

    def decorate(function: F) -> F:
        """Return the compiled function."""
        options: dict[str, Any] = {"nogil": True, "fastmath": set(flags), "inline": "always" if inline else "never"}
        try:
            kernel: F = numba.njit(cache=True, **options)(function)
            _forgive_damage(kernel)
        except RuntimeError:
            kernel = numba.njit(**options)(function)
        return kernel

    return decorate


def _forgive_damage(kernel: Any) -> None:
    """Let a kernel whose cache file is damaged be compiled again; Numba would raise at each call for ever."""
    cache = kernel._cache
    load = cache.load_overload

    def load_or_flush(*arguments: Any) -> Any:
        """Return cached code; None, and an empty cache, if the file cannot be read."""
        try:
            return load(*arguments)
        except Exception:  # bytes that are no pickle may raise anything
            cache.flush()
            return None

    cache.load_overload = load_or_flush
