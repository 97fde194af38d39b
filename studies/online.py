"""Methods that learn from a stream of labelled clips, for `studies.continual`: emovox's learner and others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from emovox.adaptation.estimator import Adaptation
from emovox.adaptation.learning import HeadLearner
from emovox.adaptation.prototypes import measure_labelled
from emovox.adaptation.voice import AdaptedScorer, VoiceSums
from emovox.audio.types import Samples
from emovox.schema.labels import EMOTIONS
from emovox.training.adaptation import LabelledStatistics
from studies.adaptation import TrainedHead, fit_head

Places = Sequence[int] | npt.NDArray[np.int64]
"""Indices of clips."""


@dataclass(frozen=True, eq=False)
class Unheard:
    """Clips that a head has not heard.

    Attributes:
        clips: n clips.
        head: the head.
        known: the clips that it learnt from.
        adaptation: axes of the moods, from those clips.
        steps: of the training of a head.
    """

    clips: LabelledStatistics
    head: TrainedHead
    known: LabelledStatistics
    adaptation: Adaptation
    steps: int

    @cached_property
    def embeddings(self) -> Samples:
        """Embeddings [n, d]."""
        profile = self.head.default_profile
        with torch.inference_mode():
            standard = torch.from_numpy((self.clips.statistics - profile.mean) / profile.scale)
            found: Samples = self.head.head.outputs(standard)["embedding"].numpy()
        return found

    @cached_property
    def scores(self) -> Samples:
        """Scores [n, 7]."""
        return self.head.scores(self.clips.statistics)


class Method(Protocol):
    """What learns one clip at a time."""

    def learn(self, place: int) -> None:
        """Learn from the label of a clip."""

    def scores(self, places: Places) -> Samples:
        """Return the scores [n, 7] of clips."""


class Nothing:
    """The shipped head."""

    def __init__(self, data: Unheard) -> None:
        self.data = data

    def learn(self, place: int) -> None:
        """Learn nothing."""

    def scores(self, places: Places) -> Samples:
        """Return the head's scores."""
        return np.asarray(self.data.scores[np.asarray(places)])


class Learner(Nothing):
    """`HeadLearner`. With `forgets`, its memory is emptied whenever the speaker changes; its weights stay."""

    def __init__(self, data: Unheard, *, forgets: bool = False) -> None:
        super().__init__(data)
        self.learner, self._forgets, self._speaker = (
            HeadLearner.empty(data.embeddings.shape[1], len(EMOTIONS)),
            forgets,
            "",
        )

    def learn(self, place: int) -> None:
        """Learn a clip."""
        clips, speaker = self.data.clips, self._speaker
        self._speaker = str(clips.speakers[place])
        if self._forgets and speaker not in ("", self._speaker):
            self.learner = self.learner.without_clips()
        rows = [place]
        self.learner = self.learner.learn(self.data.embeddings[rows], self.data.scores[rows], clips.labels[rows])

    def scores(self, places: Places) -> Samples:
        """Return corrected scores."""
        rows = np.asarray(places)
        return self.learner.corrected(self.data.embeddings[rows], self.data.scores[rows])


class Prototypes(Nothing):
    """Prototypes of each speaker, who is known, or of all together; with `learner`, its correction as well."""

    def __init__(self, data: Unheard, *, together: bool = False, learner: bool = False) -> None:
        super().__init__(data)
        self._together, self._voices = together, dict[str, VoiceSums]()
        self._learner = Learner(data) if learner else None

    def learn(self, place: int) -> None:
        """Add a clip to the sums of its speaker."""
        data, rows = self.data, [place]
        sums = measure_labelled(
            data.adaptation, data.head, data.clips.statistics[rows], data.clips.labels[rows].tolist()
        )
        nothing, key = VoiceSums.empty(data.adaptation), self._keys(rows)[0]
        self._voices[key] = self._voices.get(key, nothing) + VoiceSums(nothing.unlabelled, sums)
        if self._learner:
            self._learner.learn(place)

    def scores(self, places: Places) -> Samples:
        """Return adapted scores."""
        rows, data = np.asarray(places), self.data
        found, keys = np.empty((len(rows), len(EMOTIONS)), np.float32), np.array(self._keys(rows))
        for key in np.unique(keys):
            scorer = AdaptedScorer(data.head, data.adaptation, self._voices.get(str(key)))
            found[keys == key] = scorer.scores(data.clips.statistics[rows[keys == key]])
        return self._learner.learner.corrected(data.embeddings[rows], found) if self._learner else found

    def _keys(self, places: Places) -> list[str]:
        return ["" if self._together else str(speaker) for speaker in self.data.clips.speakers[np.asarray(places)]]


class Descent(Nothing):
    """Gradient descent on the head's last affine map without a penalty: fine-tuning, or replay.

    Args:
        data: the clips.
        rate: step size, for embeddings of length 1.
        steps: steps at each clip.
        replay: clips of all earlier ones that are drawn beside the new one in each step.
    """

    def __init__(self, data: Unheard, *, rate: float, steps: int = 1, replay: int = 0) -> None:
        super().__init__(data)
        lengths = np.linalg.norm(data.embeddings, axis=1, keepdims=True)
        self._inputs = np.concatenate([data.embeddings / lengths, np.ones_like(lengths)], axis=1)
        self._logits = np.log(np.clip(data.scores, 1e-6, None))
        self._weights = np.zeros((len(EMOTIONS), self._inputs.shape[1]), np.float32)
        self._rate, self._steps, self._replay = rate, steps, replay
        self._past, self._rng = list[int](), np.random.default_rng(0)

    def learn(self, place: int) -> None:
        """Make the steps."""
        for _ in range(self._steps):
            size = min(self._replay, len(self._past))
            rows = np.array([place, *self._rng.choice(self._past, size, replace=False)] if size else [place], np.int64)
            apart = self.scores(rows) - np.eye(len(EMOTIONS), dtype=np.float32)[self.data.clips.labels[rows]]
            self._weights -= self._rate / len(rows) * apart.T @ self._inputs[rows]
        self._past.append(place)

    def scores(self, places: Places) -> Samples:
        """Return the scores of the changed head."""
        rows = np.asarray(places)
        logits = self._logits[rows] + self._inputs[rows] @ self._weights.T
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


class River(Nothing):
    """Softmax regression of the river package; it starts from the head's own weights."""

    def __init__(self, data: Unheard, *, rate: float = 0.01) -> None:
        from river import linear_model, optim

        super().__init__(data)
        last = data.head.head.classify
        self._model: Any = linear_model.SoftmaxRegression(optim.SGD(rate), l2=0)
        for label, weights in enumerate(torch.cat([last.weight, last.bias[:, None]], dim=1).tolist()):
            self._model.weights[label].update(enumerate(weights))

    def learn(self, place: int) -> None:
        """Learn a clip."""
        self._model.learn_one(self._features(place), int(self.data.clips.labels[place]))

    def scores(self, places: Places) -> Samples:
        """Return river's probabilities."""
        rows = [self._model.predict_proba_one(self._features(place)) for place in np.asarray(places).tolist()]
        return np.array([[row.get(label, 0.0) for label in range(len(EMOTIONS))] for row in rows], np.float32)

    def _features(self, place: int) -> dict[int, float]:
        return dict(enumerate([*self.data.embeddings[place].tolist(), 1.0]))


class Joint(Nothing):
    """A head that is trained again from the start, on its corpora and the labelled clips; whenever it is asked."""

    def __init__(self, data: Unheard) -> None:
        super().__init__(data)
        self._past, self._heads = list[int](), dict[int, TrainedHead]()

    def learn(self, place: int) -> None:
        """Keep a clip."""
        self._past.append(place)

    def scores(self, places: Places) -> Samples:
        """Return the scores of the new head."""
        n, known, clips = len(self._past), self.data.known, self.data.clips
        if n not in self._heads:
            fields = ("statistics", "labels", "speakers", "corpora")
            joined = (np.concatenate([getattr(known, field), getattr(clips, field)[self._past]]) for field in fields)
            self._heads[n] = fit_head(LabelledStatistics(*joined), steps=self.data.steps)
        return self._heads[n].scores(clips.statistics[np.asarray(places)])
