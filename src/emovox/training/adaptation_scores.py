"""Score the adaptation of a fold's network on the fold's test speakers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from emovox.adaptation.estimator import Adaptation, VoiceStatistics
from emovox.corpora.folds import speaker_key
from emovox.evaluation.adaptation.counts import AdaptationCounts
from emovox.evaluation.adaptation.voices import SOURCE_CLIPS, ClassView, ScoredVoice, VoiceModel, judge_voice
from emovox.models.head_scorer import HeadScorer
from emovox.models.network import Network
from emovox.schema.labels import NEUTRAL, merge_matrix
from emovox.training.data.inputs import Inputs
from emovox.training.data.sampler import derived_seed
from emovox.training.data.statistics import Values, clip_averages, pooled
from emovox.training.data.task import Indices, Task


@dataclass(frozen=True, eq=False)
class AdaptationScorer:
    """Scores the test speakers of a fold by the adaptation protocol.

    Attributes:
        task: the clips.
        inputs: rows of their views.
        network: of the fold.
        temperature: divides the logits.
        adaptation: of the fold.
        labels: of the exported model.
        seed: of the draws.
    """

    task: Task
    inputs: Inputs
    network: Network
    temperature: float
    adaptation: Adaptation
    labels: tuple[str, ...]
    seed: int

    def counts(self, rows: Indices, statistics: Values) -> Iterator[AdaptationCounts]:
        """Yield the counts of all test speakers; clips in which no speech was found have no tile, and are left out.

        Args:
            rows: [m] numbers of the clean tiles of the test clips.
            statistics: [m, p] of these.
        """
        model = self._model()
        owner = self.inputs.owner[rows]
        speakers = np.array([speaker_key(self.task.clips[clip]) for clip in owner])
        for speaker in np.unique(speakers):
            mine = speakers == speaker
            voice = self._voice(rows[mine], statistics[mine])
            source = self._source(model, voice)
            yield from judge_voice(voice, model, source, neutral=NEUTRAL, seed=self.seed)

    def _model(self) -> VoiceModel:
        classes, head = self.task.classes, self.network.head
        merge = merge_matrix(classes, self.labels)
        labels = HeadScorer(head, merge, self.temperature)
        same = np.eye(len(classes)).tolist()
        return VoiceModel(self.adaptation, labels, HeadScorer(head, same, self.temperature), np.array(merge))

    def _voice(self, rows: Indices, tiles: Values) -> ScoredVoice:
        owner, seconds = self.inputs.owner[rows], self.inputs.seconds[rows]
        clips, statistics = clip_averages(owner, tiles)
        task, first = self.task, self.task.clips[clips[0]]
        moods = tuple(NEUTRAL if task.classes[label] == "calm" else task.classes[label] for label in task.labels[clips])
        views = self._views(clips)
        return ScoredVoice(
            corpus=first.corpus,
            speaker=first.speaker or "",
            moods=moods,
            labels=views["seven"].targets,
            statistics=statistics,
            tiles=tiles,
            owner=np.searchsorted(clips, owner),
            seconds=seconds,
            views=views,
        )

    def _views(self, clips: Indices) -> dict[str, ClassView]:
        """Return the labels of the corpus, and those of the model."""
        task = self.task
        allowed, merge = task.allowed[clips[0]], np.array(merge_matrix(task.classes, self.labels))
        own = np.diag(allowed.astype(float))[:, allowed]
        names = tuple(name for name, has in zip(task.classes, allowed, strict=True) if has)
        return {"own": _view(names, own, task.labels[clips]), "seven": _view(self.labels, merge, task.labels[clips])}

    def _source(self, model: VoiceModel, voice: ScoredVoice) -> VoiceStatistics:
        """Return the sums over clips of other speakers of the corpus, from training or test."""
        task, inputs = self.task, self.inputs
        voiced = np.unique(inputs.owner[inputs.select(np.arange(len(task.clips)))])
        others = [
            int(clip)
            for clip in voiced
            if task.clips[clip].corpus == voice.corpus and (task.clips[clip].speaker or "") != voice.speaker
        ]
        rng = np.random.default_rng(derived_seed(self.seed, len(others)))
        rows = inputs.select(rng.permutation(others)[:SOURCE_CLIPS])
        values = pooled(self.network.encoder, inputs, rows)
        statistics = clip_averages(inputs.owner[rows], values)[1]
        scores = model.labels.scores(statistics)
        return self.adaptation.sums(statistics, scores, (), model.labels.default_profile)


def _view(classes: tuple[str, ...], merge: np.ndarray, labels: Indices) -> ClassView:
    targets = merge[labels]
    return ClassView(classes, merge, np.where(targets.any(axis=1), targets.argmax(axis=1), -1))
