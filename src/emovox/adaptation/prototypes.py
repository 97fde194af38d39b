"""Adaptation to a voice from a few labelled clips: a profile, and a prototype of each label.

The labelled clips give the offset of the voice, since the usual shift of each label is known. They also say where this
person's moods lie along the axes of the `Adaptation`: the prototype of a label is the mean of its clips, drawn towards
the usual place. Scores are those of the head under the profile, times a normal density around each prototype. It works
with any choice of labels, also with one label alone ("this is my normal voice").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from emovox.adaptation.estimator import Adaptation, Numbers, StatisticsScorer, shrunk, standardised
from emovox.adaptation.profile import Profile
from emovox.audio.types import Samples
from emovox.schema.errors import ModelError

SHRINKAGE = 0.2
"""Shrinkage of the offset, in units of the variance of clips around a voice; see `estimator.LIGHT`."""

TRUST = 0.5
"""Part of a label's usual shift that is taken off its clips, in [0, 1]: a person's moods differ from the usual ones."""

USUAL = 1.0
"""Clips that the usual place of a label counts for, in the mean that makes its prototype."""

_LEAST = 1e-6


@dataclass(frozen=True, eq=False, slots=True)
class LabelledVoice:
    """Sums over the labelled clips of one voice; `+` merges those of different clips.

    Attributes:
        counts: [labels], number of clips.
        total: [p], sum of the statistics of all clips in units of the model's scale, relative to its mean.
        along: [labels, d], sums of the same along the axes, by label.
        seconds: length of the clips.

    Raises:
        ModelError: a value is not finite, or a count is below 0.
    """

    counts: Numbers
    total: Numbers
    along: Numbers
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Raise an error for sums that no clips have."""
        if (
            not all(np.isfinite(array).all() for array in (self.counts, self.total, self.along))
            or self.counts.min() < 0
        ):
            raise ModelError("sums of a labelled voice hold NaN, infinity or a count below 0, expected finite numbers")

    def __add__(self, other: LabelledVoice) -> LabelledVoice:
        """Return the sums over the clips of both.

        Raises:
            ModelError: they are of different models.
        """
        sizes = [(len(voice.total), *voice.along.shape) for voice in (self, other)]
        if sizes[0] != sizes[1]:
            raise ModelError(f"sums of two voices have sizes {sizes[0]} and {sizes[1]}, expected one model")
        sums = (getattr(self, field.name) + getattr(other, field.name) for field in fields(self))
        return LabelledVoice(*sums)


@dataclass(frozen=True, eq=False, slots=True)
class Prototypes:
    """What a labelled voice changes in the scores.

    Attributes:
        offset: [p], offset of the voice in units of the model's scale.
        places: [labels, d], prototypes along the axes.
        sharpness: weight of the densities beside the head, in [0, 1]; 0 leaves the scores as they are.
    """

    offset: Numbers
    places: Numbers
    sharpness: float


def measure_labelled(
    adaptation: Adaptation,
    scorer: StatisticsScorer,
    statistics: Samples,
    labels: Sequence[int],
    seconds: Sequence[float] = (),
) -> LabelledVoice:
    """Return the sums over labelled clips; their shapes are those of `LabelledVoice`.

    Args:
        adaptation: the parameters of the model.
        scorer: the model.
        statistics: [n, p], one row per clip.
        labels: [n], index of each clip's label.
        seconds: length of each clip; empty counts no seconds.

    Raises:
        ModelError: there is not one label for each clip, or a label is no index of the model's.
    """
    n_labels = adaptation.apart.shape[1]
    if len(labels) != len(statistics) or not all(0 <= label < n_labels for label in labels):
        raise ModelError(
            f"got labels {list(labels)[:5]} for {len(statistics)} clips, expected one below {n_labels} each"
        )
    which = np.eye(n_labels)[np.asarray(labels, np.int64)]
    standard = standardised(statistics, scorer.default_profile)
    along = which.T @ (standard @ adaptation.axes.T)
    return LabelledVoice(which.sum(axis=0), standard.sum(axis=0), along, float(sum(seconds)))


def find_prototypes(adaptation: Adaptation, voice: LabelledVoice, source: Numbers | None = None) -> Prototypes:
    """Return the prototypes of a labelled voice; without clips they leave the scores as they are.

    Args:
        adaptation: the parameters of the model.
        voice: sums over the labelled clips.
        source: [p], offset of the room, line or folder in units of the model's scale; None: 0.
    """
    usual, n = (adaptation.within @ adaptation.apart).T, voice.counts.sum()
    start = np.zeros_like(voice.total) if source is None else source
    if not n:
        return Prototypes(start, usual, 0.0)
    mean = (voice.total - TRUST * (voice.counts @ usual) @ adaptation.axes) / n - start
    offset = start + shrunk(mean, SHRINKAGE, int(n), adaptation.variance)
    places = voice.along + USUAL * (adaptation.axes @ offset + usual)
    covered = float((voice.counts > 0).mean())
    return Prototypes(offset, places / (voice.counts + USUAL)[:, None], (1 + covered) / 2)


def with_prototypes(
    adaptation: Adaptation, profile: Profile, statistics: Samples, scores: Samples, prototypes: Prototypes
) -> Samples:
    """Return scores times the density of each prototype, as probabilities of shape [n, labels].

    Args:
        adaptation: the parameters of the model.
        profile: the model's own mean and scale.
        statistics: [n, p].
        scores: [n, labels], those of the head under the offset of the voice.
        prototypes: of the voice.
    """
    if not prototypes.sharpness:
        return scores
    along = standardised(statistics, profile) @ adaptation.axes.T
    apart = along[:, None] - prototypes.places
    distances = np.einsum("nld,de,nle->nl", apart, np.linalg.inv(adaptation.within), apart)
    logits = np.log(scores + _LEAST) - prototypes.sharpness / 2 * distances
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
