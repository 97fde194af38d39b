"""Adaptation to a voice from a few labelled clips: a profile, and a prototype of each label.

The labelled clips give the offset of the voice, since the usual shift of each label is known. They also say where this
person's moods lie along the axes of the `Adaptation`: the prototype of a label is the mean of its clips, drawn towards
the usual place. Scores are those of the head under the profile, times a normal density around each prototype. It works
with any choice of labels, also with one label alone ("this is my normal voice").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emovox.adaptation.estimator import Adaptation, Numbers, StatisticsScorer, shifted, shrunk, standardised
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

    Raises:
        ModelError: a value is not finite, or a count is below 0.
    """

    counts: Numbers
    total: Numbers
    along: Numbers

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
        return LabelledVoice(self.counts + other.counts, self.total + other.total, self.along + other.along)


@dataclass(frozen=True, eq=False, slots=True)
class Prototypes:
    """What a labelled voice changes in the scores.

    Attributes:
        profile: profile under which the head scores; None: the default.
        places: [labels, d], prototypes along the axes.
        sharpness: weight of the densities beside the head, in [0, 1]; 0 leaves the head's scores.
    """

    profile: Profile | None
    places: Numbers
    sharpness: float


def measure_labelled(
    adaptation: Adaptation, scorer: StatisticsScorer, statistics: Samples, labels: Sequence[int]
) -> LabelledVoice:
    """Return the sums over labelled clips; their shapes are those of `LabelledVoice`.

    Args:
        adaptation: the parameters of the model.
        scorer: the model.
        statistics: [n, p], one row per clip.
        labels: [n], index of each clip's label.

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
    return LabelledVoice(which.sum(axis=0), standard.sum(axis=0), which.T @ (standard @ adaptation.axes.T))


def find_prototypes(adaptation: Adaptation, scorer: StatisticsScorer, voice: LabelledVoice) -> Prototypes:
    """Return profile and prototypes of a labelled voice; without clips they leave the scores as they are."""
    usual, n = (adaptation.within @ adaptation.apart).T, voice.counts.sum()
    if not n:
        return Prototypes(None, usual, 0.0)
    mean = (voice.total - TRUST * (voice.counts @ usual) @ adaptation.axes) / n
    offset = shrunk(mean, SHRINKAGE, int(n), adaptation.variance)
    places = voice.along + USUAL * (adaptation.axes @ offset + usual)
    covered = float((voice.counts > 0).mean())
    return Prototypes(
        profile=shifted(scorer.default_profile, offset),
        places=places / (voice.counts + USUAL)[:, None],
        sharpness=(1 + covered) / 2,
    )


def prototype_scores(
    adaptation: Adaptation, scorer: StatisticsScorer, statistics: Samples, prototypes: Prototypes
) -> Samples:
    """Return the probabilities, shape [n, labels], of statistics [n, p] by the head and the prototypes."""
    scores = scorer.scores(statistics, [prototypes.profile])
    if not prototypes.sharpness:
        return scores
    along = standardised(statistics, scorer.default_profile) @ adaptation.axes.T
    apart = along[:, None] - prototypes.places
    distances = np.einsum("nld,de,nle->nl", apart, np.linalg.inv(adaptation.within), apart)
    logits = np.log(scores + _LEAST) - prototypes.sharpness / 2 * distances
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
