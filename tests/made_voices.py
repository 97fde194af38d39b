"""Generated statistics of voices: each corpus and speaker has an offset, each mood a shift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emovox.adaptation.profile import Profile
from emovox.audio.types import Samples
from emovox.training.adaptation import LabelledStatistics

WIDTH, MOODS, CORPORA, SPEAKERS = 24, 4, 4, 4
"""Numbers of statistics, moods, corpora and speakers per corpus."""


class MadeScorer:
    """The best linear classifier of moods for voices without an offset, standardised by some clips."""

    def __init__(self, moods: npt.NDArray[np.float64], statistics: Samples) -> None:
        self.moods = moods
        deviation = statistics.std(axis=0)
        self.default_profile = Profile(statistics.mean(axis=0), deviation)

    def scores(self, statistics: Samples, profiles: Sequence[Profile | None] = ()) -> Samples:
        """Return probabilities under one profile."""
        return self.finish(self.hidden(statistics, next(iter(profiles), None)))

    def hidden(self, statistics: Samples, profile: Profile | None = None) -> Samples:
        """Return statistics relative to a profile, in the units of the shifts."""
        used = self.default_profile if profile is None else profile
        return (statistics - used.mean) / used.scale * self.default_profile.scale

    def finish(self, hidden: Samples) -> Samples:
        """Return the probabilities of these."""
        logits = hidden @ self.moods.T - np.square(self.moods).sum(axis=1) / 2
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def made_moods(seed: int = 0) -> npt.NDArray[np.float64]:
    """Return the shifts of the moods, [MOODS, WIDTH]; they sum to 0."""
    moods = np.random.default_rng(seed).standard_normal((MOODS, WIDTH)) * 0.75
    return np.asarray(moods - moods.mean(axis=0))


def made_clips(
    moods: npt.NDArray[np.float64], *, corpora: int = CORPORA, offset: float = 0.5, per_mood: int = 12, seed: int = 1
) -> LabelledStatistics:
    """Return clips; `offset` is the deviation of each number of an offset, of the corpus and of the speaker."""
    rng = np.random.default_rng(seed)
    rows, labels, speakers, names = [], [], [], []
    for corpus in range(corpora):
        shared = offset * rng.standard_normal(WIDTH)
        for speaker in range(SPEAKERS):
            voice = shared + offset * rng.standard_normal(WIDTH)
            label = np.repeat(np.arange(MOODS), per_mood)
            rows.append(voice + moods[label] + rng.standard_normal((len(label), WIDTH)))
            labels.append(label)
            speakers += [f"{corpus}/{speaker}"] * len(label)
            names += [str(corpus)] * len(label)
    return LabelledStatistics(
        np.concatenate(rows).astype(np.float32), np.concatenate(labels), np.array(speakers), np.array(names)
    )
