"""What is known of a voice, and the scores of a model that is adapted to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from emovox.adaptation.estimator import (
    LIGHT,
    Adaptation,
    Numbers,
    StatisticsScorer,
    VoiceStatistics,
    WeightedProfile,
    adapted_scores,
    shifted,
    shrunk,
)
from emovox.adaptation.prototypes import LabelledVoice, find_prototypes, measure_labelled, with_prototypes
from emovox.audio.types import Samples


@dataclass(frozen=True, eq=False, slots=True)
class VoiceSums:
    """Sums over the clips of one voice; `+` merges those of different clips.

    Attributes:
        unlabelled: of clips without a label.
        labelled: of clips with a label.
    """

    unlabelled: VoiceStatistics
    labelled: LabelledVoice

    @classmethod
    def empty(cls, adaptation: Adaptation) -> VoiceSums:
        """Return the voice of which nothing is known yet."""
        labels, (d, p) = adaptation.apart.shape[1], adaptation.axes.shape
        nothing = VoiceStatistics(0, 0.0, np.zeros(p), 0.0, np.zeros((d, d)), np.zeros(labels), 0.0)
        return cls(nothing, LabelledVoice(np.zeros(labels), np.zeros(p), np.zeros((labels, d)), 0.0))

    def __add__(self, other: VoiceSums) -> VoiceSums:
        """Return the sums over the clips of both.

        Raises:
            ModelError: they are of different models.
        """
        return VoiceSums(self.unlabelled + other.unlabelled, self.labelled + other.labelled)

    @property
    def clips(self) -> int:
        """Number of clips."""
        return self.unlabelled.clips + int(self.labelled.counts.sum())

    @property
    def seconds(self) -> float:
        """Length of the clips in seconds."""
        return self.unlabelled.seconds + self.labelled.seconds


class AdaptedScorer:
    """A model's head, adapted to a voice.

    The offset of the source comes first, then that of the labelled clips, then the mixture of the unlabelled ones. Then
    the prototypes of the labelled clips multiply the scores, and at the end the correction does that a head has learnt.

    Args:
        scorer: the model.
        adaptation: its parameters.
        voice: what is known; `learn` adds to it.
        source: sums over clips of other voices from the same room, line or folder; None: nothing is known of it.
        correct: returns corrected scores [n, labels] of statistics [n, p] and scores; None: they stay as they are.

    Raises:
        ModelError: the sums are those of another model.
    """

    def __init__(
        self,
        scorer: StatisticsScorer,
        adaptation: Adaptation,
        voice: VoiceSums | None = None,
        *,
        source: VoiceStatistics | None = None,
        correct: Callable[[Samples, Samples], Samples] | None = None,
    ) -> None:
        self._scorer, self._adaptation, self._correct = scorer, adaptation, correct
        nothing = VoiceSums.empty(adaptation)  # adding to it compares the sizes
        self._source = np.zeros_like(nothing.unlabelled.total)
        if source is not None:
            self._source = self._offset(nothing.unlabelled + source)
        self.voice = nothing if voice is None else nothing + voice
        self._prepare()

    @property
    def mixture(self) -> tuple[WeightedProfile, ...]:
        """The profiles of the unlabelled clips, which give the scores of a voice without labelled ones."""
        return self._mixture

    def scores(self, statistics: Samples) -> Samples:
        """Return the adapted probabilities, shape [n, labels], of statistics [n, p] float32."""
        scores = adapted_scores(self._scorer, statistics, self._mixture)
        start = self._scorer.default_profile
        scores = with_prototypes(self._adaptation, start, statistics, scores, self._prototypes)
        return scores if self._correct is None else self._correct(statistics, scores)

    def learn(self, statistics: Samples, plain: Samples, seconds: Sequence[float], label: int | None = None) -> None:
        """Add clips to the voice.

        Args:
            statistics: [n, p] float32.
            plain: [n, labels], their scores without adaptation.
            seconds: length of each clip.
            label: index of their label; None: unknown.

        Raises:
            ModelError: the label is no index of a label.
        """
        voice = measured(self._adaptation, self._scorer, statistics, plain, seconds, label)
        self.voice = self.voice + voice
        self._prepare()

    def _offset(self, voice: VoiceStatistics) -> Numbers:
        return shrunk(voice.mean, LIGHT, max(voice.clips, 1), self._adaptation.variance)

    def _prepare(self) -> None:
        fit, labelled = self._adaptation, self.voice.labelled
        self._prototypes = find_prototypes(fit, labelled, self._source)
        start = shifted(self._scorer.default_profile, self._prototypes.offset)
        moved = fit.moved(self.voice.unlabelled, self._prototypes.offset)
        self._mixture = fit.mixture(self._scorer, moved, start)


def measured(
    adaptation: Adaptation,
    scorer: StatisticsScorer,
    statistics: Samples,
    plain: Samples,
    seconds: Sequence[float],
    label: int | None = None,
) -> VoiceSums:
    """Return the sums over clips; arguments as for `AdaptedScorer.learn`."""
    nothing = VoiceSums.empty(adaptation)
    if label is None:
        profile = scorer.default_profile
        return VoiceSums(adaptation.sums(statistics, plain, seconds, profile), nothing.labelled)
    return VoiceSums(
        nothing.unlabelled, measure_labelled(adaptation, scorer, statistics, [label] * len(statistics), seconds)
    )
