"""What a card says of the trust that a model deserves; it is measured after the export, and may be measured again."""

from __future__ import annotations

import msgspec


class CardSets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How sets of labels are made for one promise, and what they were on speakers that did not calibrate them.

    Attributes:
        coverage: promised share of the clips of a new speaker whose set holds the true label, in percent.
        least: lowest score of a label in a set, in [0, 1]; the best label is always in it.
        mean: measured share, in percent, the mean over speakers.
        worst: its 10th percentile over speakers, in percent.
        size: mean number of labels in a set.
        speakers: number of speakers that it was measured on.
    """

    coverage: int
    least: float
    mean: float
    worst: float
    size: float
    speakers: int


class CardTrust(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of the key `trust` of a card.

    Attributes:
        sets: one for each coverage that may be asked for; none if there were too few speakers.
    """

    sets: tuple[CardSets, ...] = ()


def trust_problems(trust: CardTrust) -> list[str]:
    """Return what is wrong with the values, for messages; none if all are in their range."""
    return [
        f"trust.sets has coverage {one.coverage} and least {one.least}, expected 1 to 99 and 0 to 1"
        for one in trust.sets
        if not (1 <= one.coverage <= 99 and 0 <= one.least <= 1)
    ]
