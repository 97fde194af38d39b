"""Score clips again under other profiles, without their statistics.

The first map of a head is affine. So another mean shifts all its values by the same vector, and the values under one
profile give those under any other of the same scale. They are much fewer than the statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from emovox.adaptation.estimator import StatisticsScorer, WeightedProfile
from emovox.adaptation.profile import Profile
from emovox.audio.types import Samples


class SplitScorer(StatisticsScorer, Protocol):
    """A head in two parts: `scores` is `finish` after `hidden`."""

    def hidden(self, statistics: Samples, profile: Profile | None = None) -> Samples:
        """Return the values of the first affine map, shape [n, h], of statistics [n, p]; None: the default profile."""

    def finish(self, hidden: Samples) -> Samples:
        """Return the probabilities, shape [n, labels], of values of the first map [n, h]."""


def rescore(scorer: SplitScorer, hidden: Samples, mixture: Sequence[WeightedProfile]) -> Samples:
    """Return the mean probabilities under the profiles of a mixture, as `adapted_scores` does from statistics.

    Args:
        scorer: a head.
        hidden: [n, h], of the clips under the default profile.
        mixture: profiles whose scale is that of the default profile.

    Returns:
        Shape [n, labels].
    """
    origin = scorer.default_profile.mean[None]
    start = scorer.hidden(origin)
    shifts = ((part.weight, scorer.hidden(origin, part.profile) - start) for part in mixture if part.weight)
    return np.asarray(sum(weight * scorer.finish(hidden + shift) for weight, shift in shifts), np.float32)
