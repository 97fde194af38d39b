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


class HalfArray(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A float16 array as data: little-endian bytes in base64, row-major, with its shape."""

    shape: tuple[int, ...]
    base64: str


class CardFamiliarity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How far recordings are from the voices in training: `emovox.adaptation.familiarity` says how it is computed.

    Attributes:
        step: every `step`-th of the model's statistics counts.
        axes: [k, d], for these statistics.
        centres: [corpora, k], places of the corpora on these axes.
        voices: [corpora], number of voices of each.
        spread: [k], variance of voices around their centre.
        limits: number of tiles, and distance that few recordings of this length exceed.
        slope: rise of the temperature of the scores with the distance.
        known: recordings of 10 tiles of held-out speakers of known corpora that get a warning, in percent.
        unheard: the same of corpora that were left out, the mean over them, in percent.
    """

    step: int
    axes: HalfArray
    centres: tuple[tuple[float, ...], ...]
    voices: tuple[int, ...]
    spread: tuple[float, ...]
    limits: tuple[tuple[int, float], ...]
    slope: float
    known: float
    unheard: float


class CardCalibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the confidence and the threshold of a card are worth, out of fold, in percent.

    Attributes:
        error: expected calibration error, the mean over corpora.
        worst: that of the worst corpus.
        corpus: its name.
        labelled: share of the clips whose confidence reaches the threshold, the mean over corpora.
        right: share of these that are right.
        right_of_all: share of all clips whose best label is right.
    """

    error: float
    worst: float
    corpus: str
    labelled: float
    right: float
    right_of_all: float


class CardTrust(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of the key `trust` of a card.

    Attributes:
        sets: one for each coverage that may be asked for; none if there were too few speakers.
        calibration: what confidence and threshold are worth; None if it was not measured.
        familiarity: how far recordings are from the voices in training; None if it was not measured.
    """

    sets: tuple[CardSets, ...] = ()
    calibration: CardCalibration | None = None
    familiarity: CardFamiliarity | None = None


def trust_problems(trust: CardTrust) -> list[str]:
    """Return what is wrong with the values, for messages; none if all are in their range."""
    problems = [
        f"trust.sets has coverage {one.coverage} and least {one.least}, expected 1 to 99 and 0 to 1"
        for one in trust.sets
        if not (1 <= one.coverage <= 99 and 0 <= one.least <= 1)
    ]
    known = trust.familiarity
    if known is not None and not (known.step >= 1 and known.slope >= 0 and _rise(known.limits)):
        problems.append(
            f"trust.familiarity has step {known.step}, slope {known.slope} and limits {known.limits}, expected 1 or "
            "more, 0 or more, and ascending numbers of tiles with distances above 0"
        )
    return problems


def _rise(limits: tuple[tuple[int, float], ...]) -> bool:
    tiles = [number for number, _ in limits]
    return bool(tiles) and tiles[0] >= 1 and tiles == sorted(set(tiles)) and all(value > 0 for _, value in limits)
