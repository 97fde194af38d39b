"""Progress reports of long work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Progress: TypeAlias = Callable[[int, int], None]
"""Called after each item of work with the number of finished items and the number of all items."""


def no_progress(done: int, total: int) -> None:
    """Ignore the report: the default where no progress is shown."""


def tracked(items: Iterable[T], progress: Progress, *, total: int) -> Iterator[T]:
    """Yield the items, and report each as done when the next one is requested.

    >>> [item for item in tracked("ab", lambda done, total: print(f"{done} of {total}"), total=2)]
    1 of 2
    2 of 2
    ['a', 'b']
    """
    for done, item in enumerate(items, start=1):
        yield item
        progress(done, total)
