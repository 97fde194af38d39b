"""What adaptation changes for one test speaker, by the protocol (docs/protocols.md, "Adaptation").

Clips for adaptation are never scored. A clip's scores are the mean over its tiles, weighted by seconds of speech, as
`predict` gives them.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from emovox.adaptation.estimator import LIGHT, Adaptation, VoiceStatistics, WeightedProfile, shifted, shrunk
from emovox.adaptation.profile import Profile
from emovox.adaptation.prototypes import Prototypes, find_prototypes, measure_labelled, with_prototypes
from emovox.adaptation.rescoring import SplitScorer, rescore
from emovox.audio.types import Samples
from emovox.evaluation.adaptation.counts import AdaptationCounts
from emovox.evaluation.adaptation.draws import Indices, draw_sets

METHODS: Mapping[str, str] = {
    "mixture": "unlabelled clips: a mixture of profiles, weighted by how diverse the clips look",
    "mean": "unlabelled clips: their mean is removed, without shrinkage; for comparison",
    "source": "the mixture, relative to the profile of other speakers of the corpus; 0 clips: that profile alone",
    "labelled": "labelled clips: offset and prototypes; the number of clips is per label",
    "running": "each utterance by those before it; the number of clips is the first utterance of a range",
}

DRAWS = 5
"""Draws of clips for adaptation."""

SOURCE_CLIPS = 60
"""Clips of other speakers for a source's profile, at most."""

RANGES = ((1, 1), (2, 5), (6, 15), (16, 30), (31, 60))
"""First and last utterance of the ranges of the running estimate."""

BUDGETS = (("each", 1), ("each", 3), ("neutral", 1), ("neutral", 3), ("neutral", 5))
"""Labelled clips: of each label or of neutral alone, and their number per label."""

ALL_MOODS = "all"


class ClassView(NamedTuple):
    """Classes that a clip is scored over.

    Attributes:
        classes: their names, C of them.
        merge: [training classes, C], 0 or 1; a training class without a 1 is masked.
        targets: [n], index of each clip's class; -1: the clip is not scored.
    """

    classes: tuple[str, ...]
    merge: npt.NDArray[np.float64]
    targets: Indices


class VoiceModel(NamedTuple):
    """A model with its adaptation.

    Attributes:
        adaptation: its parameters.
        labels: scores over the labels of the model.
        classes: scores over the training classes.
        merge: [training classes, labels], 0 or 1.
    """

    adaptation: Adaptation
    labels: SplitScorer
    classes: SplitScorer
    merge: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoredVoice:
    """The n clips of a test speaker, in m tiles.

    Attributes:
        corpus, speaker: names.
        moods: [n] label of each clip as it is drawn: calm counts as neutral.
        labels: [n] index into the labels of the model; -1: it has none for the clip.
        statistics: [n, p] float32, mean over the tiles of each clip.
        tiles: [m, p] float32, statistics of the tiles.
        owner: [m], clip of each tile.
        seconds: [m] of speech.
        views: by name.
    """

    corpus: str
    speaker: str
    moods: tuple[str, ...]
    labels: Indices
    statistics: Samples
    tiles: Samples
    owner: Indices
    seconds: npt.NDArray[np.float64]
    views: Mapping[str, ClassView]


class _Cell(NamedTuple):
    view: str
    method: str
    mix: str
    mood: str
    clips: int


def judge_voice(
    voice: ScoredVoice, model: VoiceModel, source: VoiceStatistics, *, neutral: str, draws: int = DRAWS, seed: int = 0
) -> tuple[AdaptationCounts, ...]:
    """Return the counts of all methods, mixes, moods and numbers of clips that a speaker has enough clips for.

    Args:
        voice: the speaker.
        model: has heard neither the speaker nor, if so, the corpus.
        source: sums over clips of other speakers of the corpus.
        neutral: the mood of neutral speech.
        draws: of clips for adaptation.
        seed: of the draws, together with the name of the speaker.
    """
    return _Judge(voice, model, source, neutral).rows(draws, seed)


class _Judge:
    """Adapts to a speaker, and counts."""

    def __init__(self, voice: ScoredVoice, model: VoiceModel, source: VoiceStatistics, neutral: str) -> None:
        self.voice, self.model, self.neutral = voice, model, neutral
        self.names = tuple(dict.fromkeys(sorted(voice.moods)))
        self.start = model.labels.default_profile
        self.hidden = model.classes.hidden(voice.tiles)
        self.plain_labels = model.labels.scores(voice.statistics)
        self.plain = self._by_clip(model.classes.finish(self.hidden))
        variance = model.adaptation.variance
        self.offset = shrunk(source.mean, LIGHT, source.clips, variance) if source.clips else 0 * source.mean
        self.counts: dict[_Cell, npt.NDArray[np.int64]] = {}

    def rows(self, draws: int, seed: int) -> tuple[AdaptationCounts, ...]:
        voice = self.voice
        rng = np.random.default_rng([seed, zlib.crc32(f"{voice.corpus}/{voice.speaker}".encode())])
        nothing = np.empty(0, np.int64)
        self._count("mixture", ALL_MOODS, "", 0, nothing, self.plain)
        self._count("source", ALL_MOODS, "", 0, nothing, self._mixed(self._from_source(nothing)))
        moods = [self.names.index(mood) for mood in voice.moods]
        calm = self.names.index(self.neutral) if self.neutral in self.names else -1
        for _ in range(draws):
            for drawn in draw_sets(moods, neutral=calm, rng=rng):
                mood = self.names[drawn.mood] if drawn.mix == "one" else ""
                for method, mixture in self._mixtures(drawn.clips).items():
                    self._count(method, drawn.mix, mood, len(drawn.clips), drawn.clips, self._mixed(mixture))
            for mix, size in BUDGETS:
                self._labelled(mix, size, rng)
            self._running(rng.permutation(len(moods))[: RANGES[-1][1]])
        return tuple(self._row(cell, found) for cell, found in self.counts.items())

    def _row(self, cell: _Cell, found: npt.NDArray[np.int64]) -> AdaptationCounts:
        scored, plain, adapted = (tuple(counts) for counts in found.tolist())
        classes = self.voice.views[cell.view].classes
        return AdaptationCounts(self.voice.corpus, self.voice.speaker, *cell, classes, scored, plain, adapted)

    def _mixtures(self, clips: Indices) -> Mapping[str, Sequence[WeightedProfile]]:
        fit, labels = self.model.adaptation, self.model.labels
        removed = Profile(self.voice.statistics[clips].mean(axis=0), self.start.scale)
        return {
            "mixture": fit.mixture(labels, self._sums(clips)),
            "mean": [WeightedProfile(1.0, removed)],
            "source": self._from_source(clips),
        }

    def _from_source(self, clips: Indices) -> Sequence[WeightedProfile]:
        fit = self.model.adaptation
        moved = fit.moved(self._sums(clips), self.offset)
        return fit.mixture(self.model.labels, moved, shifted(self.start, self.offset))

    def _sums(self, clips: Indices) -> VoiceStatistics:
        statistics, scores = self.voice.statistics[clips], self.plain_labels[clips]
        return self.model.adaptation.sums(statistics, scores, (), self.start)

    def _mixed(self, mixture: Sequence[WeightedProfile]) -> Samples:
        """Return the probabilities of the training classes [n, classes] under a mixture."""
        return self._by_clip(rescore(self.model.classes, self.hidden, mixture))

    def _by_clip(self, scores: Samples) -> Samples:
        """Return the mean over the tiles of each clip, [n, classes]."""
        weighted = scores * self.voice.seconds[:, None]
        order = np.argsort(self.voice.owner, kind="stable")
        first = np.unique(self.voice.owner[order], return_index=True)[1]
        total = np.add.reduceat(weighted[order], first, axis=0)
        return np.asarray(total / total.sum(axis=1, keepdims=True), np.float32)

    def _labelled(self, mix: str, size: int, rng: np.random.Generator) -> None:
        voice, fit = self.voice, self.model.adaptation
        known = [label for label in np.unique(voice.labels) if label >= 0]
        if mix == "neutral":
            mine = {voice.labels[place] for place, mood in enumerate(voice.moods) if mood == self.neutral}
            known = [label for label in known if label in mine]
        places = [rng.permutation(np.flatnonzero(voice.labels == label)) for label in known]
        drawn = [place[:size] for place in places if len(place) >= 2 * size]
        if not drawn or len(drawn) < len(known):
            return
        clips = np.concatenate(drawn)
        sums = measure_labelled(fit, self.model.labels, voice.statistics[clips], list(voice.labels[clips]))
        self._count("labelled", mix, "", size, clips, self._with_prototypes(find_prototypes(fit, sums)))

    def _with_prototypes(self, prototypes: Prototypes) -> Samples:
        """Return the probabilities of the training classes: prototypes move probability between labels only.

        Within a label, and for classes without one, the shares are those of the head.
        """
        merge, fit = self.model.merge, self.model.adaptation
        profile = shifted(self.start, prototypes.offset)
        classes = rescore(self.model.classes, self.hidden, [WeightedProfile(1.0, profile)]).astype(np.float64)
        together = classes @ merge
        labels = (together / together.sum(axis=1, keepdims=True)).astype(np.float32)
        found = with_prototypes(fit, self.start, self.voice.tiles, labels, prototypes)
        factors = (found / np.maximum(labels, 1e-12)) @ merge.T + ~merge.any(axis=1)
        return self._by_clip((classes * factors).astype(np.float32))

    def _running(self, order: Indices) -> None:
        """Count each utterance, adapted by those before it, for the range that it is in."""
        for first, last in RANGES:
            places = range(first - 1, min(last, len(order)))
            if len(order) < last:
                return
            found = self.plain.copy()
            for place in places:
                if place:
                    mixture = self.model.adaptation.mixture(self.model.labels, self._sums(order[:place]))
                    found[order[place]] = self._one(order[place], mixture)
            rest = np.setdiff1d(np.arange(len(found)), order[list(places)])
            self._count("running", ALL_MOODS, "", first, rest, found)

    def _one(self, clip: int, mixture: Sequence[WeightedProfile]) -> Samples:
        rows = self.voice.owner == clip
        scores = rescore(self.model.classes, self.hidden[rows], mixture)
        mean: Samples = np.average(scores, axis=0, weights=self.voice.seconds[rows]).astype(np.float32)
        return mean

    def _count(self, method: str, mix: str, mood: str, clips: int, drawn: Indices, scores: Samples) -> None:
        """Add the clips that are not drawn, in every view."""
        left = np.ones(len(scores), bool)
        left[drawn] = False
        for name, view in self.voice.views.items():
            scored = left & (view.targets >= 0)
            target = view.targets[scored]
            right = [(values @ view.merge)[scored].argmax(axis=1) == target for values in (self.plain, scores)]
            sums = [np.bincount(target[hits], minlength=len(view.classes)) for hits in (slice(None), *right)]
            cell = _Cell(name, method, mix, mood, clips)
            self.counts[cell] = self.counts.get(cell, 0) + np.stack(sums)
