"""How far a recording is from the voices that a model was trained on.

The statistics of a tile are projected on k axes. Along these, tiles of one voice have the variance 1, and voices of one
corpus have the variances `spread` around its centre. So the mean of n tiles of a known voice is at a squared distance
of about 1 per axis, in units of `spread` + 1 / n.

Reference: Lee, Lee, Lee, Shin, "A simple unified framework for detecting out-of-distribution samples", 2018 (distance
of Mahalanobis from the nearest centre). Here the centres are corpora, and the mean of a recording is compared.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from emovox.adaptation.estimator import Numbers
from emovox.audio.types import Samples
from emovox.schema.errors import ModelError
from emovox.schema.trust import CardFamiliarity, HalfArray

LARGEST_TEMPERATURE = 3.0
"""Largest temperature of an unfamiliar recording; a larger one leaves scores that say nothing."""

START = 0.9
"""Distance from which the temperature rises; 1 is the limit of the warning."""


@dataclass(frozen=True, eq=False, slots=True)
class Familiarity:
    """Axes, centres and limits.

    Attributes:
        step: every `step`-th of the p statistics of a tile counts, d of them.
        axes: [k, d].
        centres: [corpora, k], means of the voices of a corpus.
        voices: [corpora], their number.
        spread: [k], variance of voices around their centre; that of tiles around their voice is 1.
        limits: number of tiles, and distance that few known recordings of this length exceed; ascending.
        slope: rise of the temperature of scores with the distance, from `START` on.

    Raises:
        ModelError: a shape does not fit, or a value is not finite.
    """

    step: int
    axes: Numbers
    centres: Numbers
    voices: Numbers
    spread: Numbers
    limits: tuple[tuple[int, float], ...]
    slope: float

    def __post_init__(self) -> None:
        """Raise an error for parts that do not fit."""
        shapes = self.axes.shape[:1], self.centres.shape, self.voices.shape, self.spread.shape
        k, corpora = len(self.spread), len(self.voices)
        if self.axes.ndim != 2 or shapes != ((k,), (corpora, k), (corpora,), (k,)) or not k or not corpora:
            raise ModelError(
                f"familiarity has parts of shapes {shapes}, expected [k, d], [c, k], [c] and [k]; {_AGAIN}"
            )
        parts = (self.axes, self.centres, self.voices, self.spread)
        if not all(np.isfinite(part).all() for part in parts) or self.spread.min() < 0 or self.voices.min() < 1:
            raise ModelError(f"familiarity holds NaN, infinity or a number below 0; {_AGAIN}")

    @classmethod
    @lru_cache(maxsize=8)
    def from_card(cls, card: CardFamiliarity) -> Familiarity:
        """Return what a card says; the streams of a model share it.

        Raises:
            ModelError: its parts do not fit.
        """
        return cls(
            step=card.step,
            axes=from_half(card.axes),
            centres=np.array(card.centres, np.float64),
            voices=np.array(card.voices, np.float64),
            spread=np.array(card.spread, np.float64),
            limits=card.limits,
            slope=card.slope,
        )

    def project(self, statistics: Samples) -> Numbers:
        """Return the places [n, k] of tiles with the statistics [n, p].

        Raises:
            ModelError: the model has another number of statistics.
        """
        chosen = statistics[:, :: self.step].astype(np.float64)
        if chosen.shape[1] != self.axes.shape[1]:
            raise ModelError(f"familiarity is for {self.axes.shape[1]} statistics, got {chosen.shape[1]}; {_AGAIN}")
        return np.asarray(chosen @ self.axes.T)

    def distance(self, place: Numbers, tiles: int) -> float:
        """Return the distance of the mean place [k] of some tiles from the nearest corpus; above 1: unfamiliar."""
        variance = self.spread * (1 + 1 / self.voices[:, None]) + 1 / tiles
        squares = ((place - self.centres) ** 2 / variance).mean(axis=1)
        return float(np.sqrt(squares.min())) / self.limit(tiles)

    def limit(self, tiles: int) -> float:
        """Return the limit for a number of tiles: interpolated over its logarithm, constant beyond the known ones."""
        numbers, values = zip(*self.limits, strict=True)
        return float(np.interp(np.log(tiles), np.log(numbers), values))

    def temperature(self, distance: float) -> float:
        """Return the temperature, 1 to `LARGEST_TEMPERATURE`, that plain scores at a distance deserve."""
        return float(min(LARGEST_TEMPERATURE, 1 + self.slope * max(0.0, distance - START)))


class RunningDistance:
    """The distance of a recording, or of a channel, from tile to tile.

    Args:
        familiarity: of the model.
    """

    def __init__(self, familiarity: Familiarity) -> None:
        self.familiarity = familiarity
        self.tiles = 0
        self._total: Numbers = np.zeros(len(familiarity.spread))

    @property
    def distance(self) -> float:
        """Distance of all tiles so far; 0 without a tile."""
        return self.familiarity.distance(self._total / self.tiles, self.tiles) if self.tiles else 0.0

    def add(self, statistics: Samples) -> None:
        """Add a tile with the statistics [p]."""
        self._total = self._total + self.familiarity.project(statistics[None])[0]
        self.tiles += 1

    def tempered(self, scores: Samples) -> Samples:
        """Return the scores [labels] as the distance so far lowers them; they still sum to 1."""
        return tempered(scores, self.familiarity.temperature(self.distance))


def tempered(scores: Samples, temperature: float) -> Samples:
    """Return the probabilities [..., labels] with their logits divided by a temperature; 1 changes nothing.

    >>> tempered(np.array([0.8, 0.2], np.float32), 2.0).round(3).tolist() == [np.float32(0.667), np.float32(0.333)]
    True
    """
    if temperature == 1:
        return scores
    powers = np.maximum(scores, 1e-9) ** np.float32(1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def to_half(values: Numbers) -> HalfArray:
    """Return an array as data of a card."""
    return HalfArray(values.shape, base64.b64encode(np.ascontiguousarray(values, "<f2").tobytes()).decode())


def from_half(array: HalfArray) -> Numbers:
    """Return the values of an array of a card, float64.

    Raises:
        ModelError: the data do not have its shape.
    """
    try:
        values = np.frombuffer(base64.b64decode(array.base64, validate=True), "<f2")
        return values.astype(np.float64).reshape(array.shape)
    except ValueError as error:
        raise ModelError(f"familiarity has no array {list(array.shape)} ({error}); {_AGAIN}") from error


_AGAIN = "measure it again"
