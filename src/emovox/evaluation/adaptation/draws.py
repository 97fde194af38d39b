"""Clips that a speaker is adapted with, and the clips that are scored: draws of the adaptation protocol.

See docs/protocols.md. Clips for adaptation are never scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Mix = Literal["all", "neutral-70", "one"]

SIZES = (1, 2, 5, 10, 20, 40)
"""Numbers of clips for adaptation."""

NEUTRAL_SHARE = 0.7
"""Share of neutral clips in the mix "neutral-70"."""

MANY, NEEDED = 40, 80
"""A set of `MANY` clips or more is drawn only from a speaker with `NEEDED` clips or more."""


class AdaptationSet(NamedTuple):
    """Clips of one speaker for adaptation.

    Attributes:
        mix: "all" moods as they come, "neutral-70" (70 % neutral), or "one" mood only.
        mood: label of the mix "one", else -1.
        clips: [k], indices into the speaker's clips, k one of `SIZES`.
    """

    mix: Mix
    mood: int
    clips: Indices


def draw_sets(
    labels: Sequence[int], *, neutral: int, rng: np.random.Generator, sizes: Sequence[int] = SIZES
) -> Iterator[AdaptationSet]:
    """Draw one set of each mix, mood and size that a speaker has enough clips for.

    At most half of the clips of a label are drawn, so that each label keeps clips to be scored. A label with a single
    clip is not drawn.

    Args:
        labels: [n], labels of the speaker's clips.
        neutral: the label of neutral speech.
        rng: draws the clips.
        sizes: numbers of clips.

    >>> sets = list(draw_sets([0, 0, 0, 0, 1, 1], neutral=0, rng=np.random.default_rng(1), sizes=[2]))
    >>> [(one.mix, one.mood) for one in sets]
    [('all', -1), ('neutral-70', -1), ('one', 0)]
    """
    known = np.asarray(labels)
    halves = {
        int(label): rng.permutation(np.flatnonzero(known == label))[: (known == label).sum() // 2]
        for label in np.unique(known)
        if (known == label).sum() > 1
    }
    everything = np.concatenate([*halves.values(), np.empty(0, np.int64)])
    calm = halves.get(neutral, everything[:0])
    moved = np.setdiff1d(everything, calm)
    for size in sizes:
        if size <= len(everything) and (size < MANY or len(known) >= NEEDED):
            yield AdaptationSet("all", -1, rng.permutation(everything)[:size])
        quiet = round(NEUTRAL_SHARE * size)
        if 0 < quiet <= len(calm) and 0 < size - quiet <= len(moved):
            drawn = [rng.permutation(calm)[:quiet], rng.permutation(moved)[: size - quiet]]
            yield AdaptationSet("neutral-70", -1, np.concatenate(drawn))
        for label, half in halves.items():
            if size <= len(half):
                yield AdaptationSet("one", label, rng.permutation(half)[:size])


def set_uar(scores: npt.NDArray[np.floating], labels: Sequence[int], drawn: Indices) -> float:
    """Return the UAR in [0, 1] over the clips that were not drawn; labels without such a clip do not count.

    Args:
        scores: [n, labels], scores of all clips of the speaker.
        labels: [n], their labels.
        drawn: indices of the clips for adaptation.
    """
    known, left = np.asarray(labels), np.setdiff1d(np.arange(len(labels)), drawn)
    hits = scores[left].argmax(axis=1) == known[left]
    return float(np.mean([hits[known[left] == label].mean() for label in np.unique(known[left])]))
