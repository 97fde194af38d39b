"""Seeded samples: the same clips for every system, balanced over speakers and labels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from emovox.corpora.manifest import Clip

T = TypeVar("T")

Form = Literal["full", "quick"]


@dataclass(frozen=True)
class Sizes:
    """Largest numbers of clips and sounds of a form of the suite.

    Attributes:
        heard: clips of a corpus that are heard as they are.
        changed: clips of all corpora together that are heard under every condition.
        sounds: recordings of each kind of sound.
        adapted: clips of a speaker whose statistics are used for adaptation.
        pitched: clips of a speaker whose pitch is measured.
    """

    heard: int
    changed: int
    sounds: int
    adapted: int
    pitched: int


SIZES: dict[Form, Sizes] = {
    "full": Sizes(heard=1000, changed=360, sounds=12, adapted=60, pitched=12),
    "quick": Sizes(heard=210, changed=120, sounds=6, adapted=42, pitched=6),
}
"""Full: at most 30 minutes on two cores for 50 ms a recording. Quick: 3 minutes."""


def order_key(seed: int, *names: object) -> bytes:
    """Return a sort key that looks random, and depends on seed and names alone."""
    return hashlib.sha256(repr((seed, *names)).encode()).digest()


def balanced(items: Iterable[T], strata: Callable[[T], Hashable], key: Callable[[T], bytes], most: int) -> list[T]:
    """Return up to `most` items, one of each stratum in turn.

    Args:
        items: any.
        strata: the stratum of an item.
        key: sort key of items in their stratum, and of strata by their first item.
        most: number of items.

    >>> balanced("aaabbc", str, str.encode, 4)
    ['a', 'b', 'c', 'a']
    """
    groups: dict[Hashable, list[T]] = {}
    for item in sorted(items, key=key):
        groups.setdefault(strata(item), []).append(item)
    rounds = [item for place in range(max(map(len, groups.values()), default=0)) for item in _turn(groups, place)]
    return rounds[:most]


def _turn(groups: dict[Hashable, list[T]], place: int) -> list[T]:
    return [group[place] for group in groups.values() if place < len(group)]


def sample_clips(clips: Sequence[Clip], most: int, *, seed: int) -> list[Clip]:
    """Return up to `most` clips of a corpus, balanced over speakers and labels, in the order of the corpus."""
    chosen = balanced(
        clips, lambda clip: (clip.speaker, clip.label), lambda clip: order_key(seed, clip.corpus, clip.id), most
    )
    kept = {clip.id for clip in chosen}
    return [clip for clip in clips if clip.id in kept]
