"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Progress: TypeAlias = Callable[[int, int], None]
"""Called after each piece of work with the number of pieces that are done, and of all."""


def no_progress(done: int, total: int) -> None:
    """Show nothing."""


def tracked(items: Iterable[T], progress: Progress, *, total: int) -> Iterator[T]:
    """Pass items on, and report each when the next one is asked for: when it is done.

    >>> [item for item in tracked("ab", lambda done, total: print(f"{done} of {total}"), total=2)]
    1 of 2
    2 of 2
    ['a', 'b']
    """
    for done, item in enumerate(items, start=1):
        yield item
        progress(done, total)
