"""Adaptation to a voice from unlabelled clips: sufficient statistics, and a mixture of scores under a few profiles.

Removing the mean of a voice's clips helps if their moods vary, and harms if all have one mood: the mean then holds the
mood. So `Adaptation.mixture` first asks how diverse the clips look. The more diverse, the more weight have the scores
with the mean removed. The rest of the weight is halved between the plain scores, and those with the part of the mean
removed that is larger than a mood makes it.

All that this needs of the clips is a `VoiceStatistics`: sums over clips. It can be updated clip by clip, two can be
added, and no single clip can be read from the sums of many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from emovox.adaptation.profile import Profile
from emovox.audio.types import Samples
from emovox.schema.errors import ModelError

Numbers = npt.NDArray[np.float64]

LIGHT, STRONG = 0.07, 0.55
"""Shrinkage of the mean for clips that look diverse, and for others, in units of the variance of clips around a voice.

A squared mean below it is taken for what voices and moods usually make, and is not removed at all. A larger one is
removed for the most part.
"""

CAUTION = 2
"""Clips that count as evidence against removing the mean: n clips have the share n / (n + 2) at most."""

LARGEST = 3.0
"""Largest distance of a feature of the gate from its mean in training, in deviations; beyond it is cut off."""

_LEAST = 1e-3
"""Least ratio of variances before the logarithm, and least probability."""


class StatisticsScorer(Protocol):
    """A head that scores statistics of shape [n, p], one row per clip: a `Model`, or one in training."""

    @property
    def default_profile(self) -> Profile:
        """Mean and scale of the training set, each of shape [p], float32."""

    def scores(self, statistics: Samples, profiles: Sequence[Profile | None] = ()) -> Samples:
        """Return the probabilities of clips under one profile for all.

        Args:
            statistics: shape [n, p], one row per clip.
            profiles: that profile; None or nothing is the default.

        Returns:
            Shape [n, labels].
        """


@dataclass(frozen=True, eq=False, slots=True)
class VoiceStatistics:
    """Sums over the clips of one voice or source; `+` merges those of different clips.

    A clip's statistics count in units of the model's scale, relative to its mean: z [p].

    Attributes:
        clips: number n of clips, >= 0.
        seconds: their length.
        total: [p], sum of z.
        squares: sum of |z|².
        moments: [d, d], sum of the outer products of z along the axes of the `Adaptation`.
        scores: [labels], sum of the plain scores.
        entropy: sum of the entropies of the plain scores, in nats.

    Raises:
        ModelError: a shape is wrong or a value is not finite.
    """

    clips: int
    seconds: float
    total: Numbers
    squares: float
    moments: Numbers
    scores: Numbers
    entropy: float

    def __post_init__(self) -> None:
        """Raise an error for sums that no clips have."""
        shapes = self.total.ndim, self.moments.ndim, self.scores.ndim
        if shapes != (1, 2, 1) or self.moments.shape[0] != self.moments.shape[1]:
            raise ModelError(f"sums of a voice have {shapes} axes, expected [p], [d, d] and [labels]")
        if self.clips < 0 or not all(np.isfinite(getattr(self, field.name)).all() for field in fields(self)):
            raise ModelError("sums of a voice hold NaN, infinity or a count below 0, expected finite numbers")

    def __add__(self, other: VoiceStatistics) -> VoiceStatistics:
        """Return the sums over the clips of both.

        Raises:
            ModelError: they are of different models.
        """
        if _sizes(self) != _sizes(other):
            raise ModelError(f"sums of two voices have sizes {_sizes(self)} and {_sizes(other)}, expected one model")
        return VoiceStatistics(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    @property
    def mean(self) -> Numbers:
        """Mean of the clips, shape [p], in units of the model's scale; 0 without clips."""
        return self.total / max(self.clips, 1)


def _sizes(voice: VoiceStatistics) -> tuple[int, ...]:
    return len(voice.total), len(voice.moments), len(voice.scores)


class WeightedProfile(NamedTuple):
    """One part of a mixture: its weight in [0, 1], and the profile under which the head scores; None: the default."""

    weight: float
    profile: Profile | None


@dataclass(frozen=True, eq=False, slots=True)
class Gate:
    """Logistic regression: the probability that clips have diverse moods.

    Attributes:
        mean: [f], means of the features (`diversity`) in training.
        scale: [f], their deviations, above 0.
        weights: [f], for standardised features.
        bias: the constant.
    """

    mean: Numbers
    scale: Numbers
    weights: Numbers
    bias: float

    def __call__(self, features: Numbers) -> float:
        """Return the probability of features [f]."""
        standard = np.clip((features - self.mean) / self.scale, -LARGEST, LARGEST)
        return float(1 / (1 + np.exp(-(standard @ self.weights + self.bias))))


@dataclass(frozen=True, eq=False, slots=True)
class Adaptation:
    """Parameters of the estimator for one model, learnt from training speakers.

    Attributes:
        axes: [d, p] orthonormal, the directions in which moods differ most, in units of the model's scale.
        apart: [d, labels], directions along the axes that tell each label from the others.
        within: [d, d], covariance along the axes of clips of one voice and label.
        variance: variance of such clips in all p directions together.
        gate: the probability that clips are diverse.
    """

    axes: Numbers
    apart: Numbers
    within: Numbers
    variance: float
    gate: Gate

    def measure(
        self, scorer: StatisticsScorer, statistics: Samples, seconds: Sequence[float] = (), base: Profile | None = None
    ) -> VoiceStatistics:
        """Return the sums over clips.

        Args:
            scorer: the model that the parameters belong to.
            statistics: [n, p] float32, one row per clip; n may be 0.
            seconds: length of each clip; empty counts no seconds.
            base: profile that all is relative to, for example that of a source; None: the model's.

        Raises:
            ModelError: the statistics do not fit the model.
        """
        scores = scorer.scores(statistics, [base])
        return self.sums(statistics, scores, seconds, scorer.default_profile if base is None else base)

    def sums(self, statistics: Samples, scores: Samples, seconds: Sequence[float], profile: Profile) -> VoiceStatistics:
        """Return the sums over clips whose plain scores are known.

        Args:
            statistics: [n, p] float32, one row per clip; n may be 0.
            scores: [n, labels], their scores under the profile.
            seconds: length of each clip; empty counts no seconds.
            profile: mean and scale that all is relative to.
        """
        precise: Numbers = scores.astype(np.float64)
        standard = standardised(statistics, profile)
        along = standard @ self.axes.T
        return VoiceStatistics(
            clips=len(standard),
            seconds=float(sum(seconds)),
            total=standard.sum(axis=0),
            squares=float(np.square(standard).sum()),
            moments=along.T @ along,
            scores=precise.sum(axis=0),
            entropy=float(entropy(precise).sum()),
        )

    def moved(self, voice: VoiceStatistics, offset: Numbers) -> VoiceStatistics:
        """Return the sums relative to a mean that is larger by an offset [p]; the plain scores stay as they are."""
        n, place, along = voice.clips, self.axes @ offset, self.axes @ voice.total
        return replace(
            voice,
            total=voice.total - n * offset,
            squares=voice.squares - 2 * float(offset @ voice.total) + n * float(offset @ offset),
            moments=voice.moments - np.outer(along, place) - np.outer(place, along) + n * np.outer(place, place),
        )

    def diversity(self, voice: VoiceStatistics) -> Numbers:
        """Return the features of the gate for two clips or more, shape [5].

        They are the logarithm of the number of clips, the mutual information of clip and label by the plain scores in
        nats, and the logarithm of three variances relative to those of one voice and label: along the directions that
        tell the labels apart (mean over labels), along all axes, and in all p directions.
        """
        n, mean, apart = voice.clips, voice.mean, self.apart
        place = self.axes @ mean
        scatter = (voice.moments - n * np.outer(place, place)) / (n - 1)
        by_label = np.einsum("dl,de,el->l", apart, scatter, apart) / np.einsum("dl,de,el->l", apart, self.within, apart)
        along = np.trace(np.linalg.solve(self.within, scatter)) / len(self.within)
        everywhere = (voice.squares - n * float(mean @ mean)) / (n - 1) / self.variance
        ratios = np.maximum([by_label.mean(), along, everywhere], _LEAST)
        shared = float(entropy(voice.scores / n)) - voice.entropy / n
        return np.array([np.log(n), shared, *np.log(ratios)])

    def weight(self, voice: VoiceStatistics) -> float:
        """Return the share in [0, 1) of the scores with the mean removed; 0 below two clips."""
        n = voice.clips
        return self.gate(self.diversity(voice)) ** 2 * n / (n + CAUTION) if n > 1 else 0.0

    def mixture(
        self, scorer: StatisticsScorer, voice: VoiceStatistics, base: Profile | None = None
    ) -> tuple[WeightedProfile, ...]:
        """Return the profiles for a voice, with weights that sum to 1.

        Args:
            scorer: as in `measure`.
            voice: sums over the clips of the voice.
            base: as in `measure`; it takes the place of the plain model.
        """
        if not voice.clips:
            return (WeightedProfile(1.0, base),)
        start = scorer.default_profile if base is None else base
        weight = self.weight(voice)
        light, strong = (
            shifted(start, shrunk(voice.mean, shrinkage, voice.clips, self.variance)) for shrinkage in (LIGHT, STRONG)
        )
        return (
            WeightedProfile((1 - weight) / 2, base),
            WeightedProfile((1 - weight) / 2, strong),
            WeightedProfile(weight, light),
        )


def adapted_scores(scorer: StatisticsScorer, statistics: Samples, mixture: Sequence[WeightedProfile]) -> Samples:
    """Return the mean probabilities of shape [n, labels] of statistics [n, p] under the profiles of a mixture."""
    found = sum(part.weight * scorer.scores(statistics, [part.profile]) for part in mixture if part.weight)
    return np.asarray(found, np.float32)


def entropy(scores: Numbers) -> Numbers:
    """Return the entropy in nats, shape [...], of probabilities of shape [..., labels].

    >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(3).tolist()
    [0.0, 0.693]
    """
    bounded = np.clip(scores, 1e-9, 1)
    return np.asarray(-(bounded * np.log(bounded)).sum(axis=-1))


def standardised(statistics: Samples, profile: Profile) -> Numbers:
    """Return statistics relative to the mean of a profile, in units of its scale; both of shape [n, p]."""
    return np.asarray((statistics.astype(np.float64) - profile.mean) / profile.scale)


def shifted(profile: Profile, offset: Numbers) -> Profile:
    """Return a profile that removes an offset of shape [p] as well, in units of its scale."""
    return Profile((profile.mean + profile.scale * offset).astype(np.float32), profile.scale)


def shrunk(mean: Numbers, shrinkage: float, clips: int, variance: float) -> Numbers:
    """Return the mean, shape [p], of a number of clips after James-Stein shrinkage towards 0.

    Args:
        mean: [p].
        shrinkage: in units of the variance, see `LIGHT`.
        clips: their number, >= 1.
        variance: variance of clips around a voice in all p directions together.

    >>> shrunk(np.array([3.0, 0.0]), 0.5, 2, 4.5).tolist()
    [1.5, 0.0]
    """
    expected = (shrinkage + 1 / clips) * variance
    return np.asarray(mean * max(0.0, 1 - expected / max(float(mean @ mean), _LEAST)))
