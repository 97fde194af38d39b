"""Places of buffers in the static block: those that are not in use at the same time share memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from emovox.export.c.tensor import Step

ALIGNED = 16
"""Buffers begin at multiples of this number of floats, a cache line."""


class Life(NamedTuple):
    """First and last step that use a buffer."""

    first: int
    last: int


class Arena(NamedTuple):
    """Offset of each buffer in floats, by name, and the size of the block in floats."""

    places: dict[str, int]
    size: int


def arrange(steps: Sequence[Step]) -> Arena:
    """Return places for all buffers of a function: largest first, each in the lowest gap that is free then."""
    lives, sizes = _lives(steps)
    owners = _replaced(steps, lives)
    placed: list[tuple[int, int, Life]] = []
    places: dict[str, int] = {}
    for name in sorted(lives, key=lambda one: (-sizes[one], lives[one])):
        if name in owners:
            continue
        place = _lowest(sizes[name], [(at, end) for at, end, life in placed if _meet(life, lives[name])])
        placed.append((place, place + sizes[name], lives[name]))
        places[name] = place
    places |= {name: places[owner] for name, owner in owners.items()}
    return Arena(places, max((end for _, end, _ in placed), default=0))


def _lives(steps: Sequence[Step]) -> tuple[dict[str, Life], dict[str, int]]:
    lives: dict[str, Life] = {}
    sizes: dict[str, int] = {}
    for number, step in enumerate(steps):
        for buffer in (*step.reads, *step.writes):
            if buffer.kind == "arena":
                first = lives[buffer.name].first if buffer.name in lives else number
                lives[buffer.name] = Life(first, number)
                sizes[buffer.name] = -(-buffer.size // ALIGNED) * ALIGNED
    return lives, sizes


def _replaced(steps: Sequence[Step], lives: dict[str, Life]) -> dict[str, str]:
    """Return which buffer takes the memory of which, and extend that one's life in `lives`.

    The result of a step takes the memory of an operand that no later step reads.
    """
    owners: dict[str, str] = {}
    for number, step in enumerate(steps):
        made = step.writes[0]
        if made.kind != "arena" or lives[made.name].first != number:
            continue
        for old in step.whole:
            owner = owners.get(old.name, old.name)
            if old.size == made.size and lives[owner].last == number:
                owners[made.name] = owner
                lives[owner] = Life(lives[owner].first, lives[made.name].last)
                break
    return owners


def _meet(one: Life, other: Life) -> bool:
    return one.first <= other.last and other.first <= one.last


def _lowest(size: int, taken: list[tuple[int, int]]) -> int:
    place = 0
    for at, end in sorted(taken):
        if at - place >= size:
            break
        place = max(place, end)
    return place
