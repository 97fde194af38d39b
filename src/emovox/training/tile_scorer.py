"""Trained models over the statistics of clips: scores of clips, plain and under other profiles, without the encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emovox.adaptation.estimator import WeightedProfile
from emovox.adaptation.profile import Profile
from emovox.models.scores import Matrix, softmax
from emovox.models.trained import TrainedModel
from emovox.training.data.inputs import Inputs
from emovox.training.data.statistics import Values, pooled
from emovox.training.data.task import Indices, Task
from emovox.training.held_out import clip_means
from emovox.training.stages.head import logits

PLAIN = (WeightedProfile(1.0, None),)
"""The mixture that changes nothing."""


@dataclass(frozen=True, eq=False)
class Tiles:
    """The tiles of all clips of a task.

    Attributes:
        task: n clips.
        owner: [m] number of each tile's clip.
        seconds: [m] of speech.
        values: [m, p] statistics.
    """

    task: Task
    owner: Indices
    seconds: npt.NDArray[np.float64]
    values: Values

    @classmethod
    def of(cls, task: Task, inputs: Inputs, model: TrainedModel) -> Tiles:
        """Return the tiles with their statistics by the encoder of a model."""
        rows = inputs.select(np.arange(len(task.clips)))
        return cls(task, inputs.owner[rows], inputs.seconds[rows], pooled(model.network.encoder, inputs, rows))

    def rows(self, clips: Indices) -> Indices:
        """Return the numbers of the tiles of clips."""
        return np.flatnonzero(np.isin(self.owner, clips))

    def means(self, clips: Indices, rows: Indices, values: npt.NDArray[np.floating]) -> Matrix:
        """Return the mean over tiles, weighted by seconds, of each of n clips, ascending; NaN for one without tiles.

        Args:
            clips: [n].
            rows: [k] numbers of their tiles.
            values: [k, d] of these tiles.

        Returns:
            [n, d].
        """
        owner = np.searchsorted(clips, self.owner[rows])
        found: Matrix = clip_means(values.astype(np.float64), owner, self.seconds[rows], len(clips))
        return found

    def statistics(self, clips: Indices) -> Values:
        """Return the mean statistics [n, p] of clips [n], ascending; NaN for clips without speech."""
        rows = self.rows(clips)
        return self.means(clips, rows, self.values[rows]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class TileScorer:
    """A model over tiles, as `emovox.adaptation.estimator.StatisticsScorer`."""

    tiles: Tiles
    model: TrainedModel

    @property
    def default_profile(self) -> Profile:
        """Mean and scale of the training set."""
        head = self.model.network.head
        return Profile(head.mean.cpu().numpy().astype(np.float32), head.scale.cpu().numpy().astype(np.float32))

    def scores(self, statistics: Values, profiles: Sequence[Profile | None] = ()) -> Values:
        """Return the probabilities [n, classes] of statistics [n, p] under one profile."""
        profile = next(iter(profiles), None)
        scale = () if profile is None else (profile.mean, profile.scale)
        found = softmax(logits(self.model.network.head, statistics, *scale) / self.model.card.temperature)
        return found.astype(np.float32)

    def clip_scores(self, clips: Indices, mixture: Sequence[WeightedProfile] = PLAIN) -> Matrix:
        """Return the probabilities [n, classes] of clips [n], ascending, under a mixture; NaN without speech."""
        rows = self.tiles.rows(clips)
        values = self.tiles.values[rows]
        parts = [part.weight * self.scores(values, [part.profile]) for part in mixture if part.weight]
        return self.tiles.means(clips, rows, np.sum(parts, axis=0))

    def without_mean(self, clips: Indices) -> tuple[WeightedProfile, ...]:
        """Return the mixture that removes the mean of clips [n], ascending, instead of that of the training set."""
        found = self.tiles.statistics(clips)
        known = found[~np.isnan(found[:, 0])]
        mean = known.mean(axis=0) if len(known) else self.default_profile.mean
        return (WeightedProfile(1.0, Profile(mean, self.default_profile.scale)),)
