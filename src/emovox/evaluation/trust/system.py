"""Systems under test: a loaded model, the fold models of a run, or a function of a user."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from emovox.audio.types import Samples
from emovox.corpora.manifest import Clip
from emovox.evaluation.figures.predictions import Predictions
from emovox.runtime.predictor import Predictor
from emovox.schema.result import Result

ANY = ""
"""Key in `System.hear` of the model for what no fold tests: sounds, and corpora that are not in training."""


class SystemAnswer(NamedTuple):
    """What a system says about one recording.

    Attributes:
        label: the label of the highest score, abstention or not; None: no speech found.
        scores: one for each label, that sum to 1; None: no speech found, or a system that gives labels alone.
        seconds: time of the recording that carries a label for a user, in seconds.
    """

    label: str | None
    scores: tuple[float, ...] | None
    seconds: float


Hear = Callable[[Samples, int], SystemAnswer]
"""Answers for samples [n], float32 in [-1, 1], and their rate in Hz; raises an `EmovoxError` if it cannot."""


@dataclass(frozen=True, eq=False)
class System:
    """A system under test.

    Attributes:
        name: for tables.
        labels: that it answers with, in the order of the scores.
        digest: hash of its files; answers are kept by it.
        hear: fold → function that scores a recording by its model; `ANY` for what no fold tests.
        predictors: fold → its model, for adaptation; empty if it has none.
        learnt: corpora that it learnt from. Tests on them count only if `out_of_fold` has them.
        out_of_fold: corpus → predictions by models that did not learn from the speaker.
        noise: folder of the noises in training; None if unknown or without.
        kinds: kind of sound that models learnt to refuse → fold whose model did not learn from its group of kinds;
            None: all models did. Other kinds are scored by `ANY`.
        notes: sentences for the report.
        threads: number of recordings that it can score at the same time.
    """

    name: str
    labels: tuple[str, ...]
    digest: str
    hear: Mapping[str, Hear]
    predictors: Mapping[str, Predictor] = field(default_factory=dict)
    learnt: frozenset[str] = frozenset()
    out_of_fold: Mapping[str, Predictions] = field(default_factory=dict)
    noise: Path | None = None
    kinds: Mapping[str, str | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    threads: int = 2

    def why_seen(self, corpus: str) -> str:
        """Return why a corpus does not count; "" if it does."""
        if corpus not in self.learnt or corpus in self.out_of_fold:
            return ""
        return f"seen: {self.name} learnt from {corpus}; only a run of its recipe can be tested on it"

    def fold_of(self, clip: Clip) -> str:
        """Return the fold whose model did not learn from the speaker of a clip."""
        return self._folds.get((clip.corpus, clip.id), ANY)

    @property
    def tells_speech(self) -> bool:
        """Return whether a model of the system has the output `speech`."""
        return any(predictor.card.speech is not None for predictor in self.predictors.values())

    @cached_property
    def _folds(self) -> Mapping[tuple[str, str], str]:
        return {
            (corpus, utterance): fold
            for corpus, made in self.out_of_fold.items()
            for utterance, fold in zip(made.utterance.tolist(), made.fold.tolist(), strict=True)
        }


def from_predictor(predictor: Predictor) -> System:
    """Return a finished model as a system; the corpora on its card are those that it learnt from."""
    card = predictor.card
    return System(
        name=card.name,
        labels=card.labels,
        digest=card.sha256,
        hear={ANY: hearing(predictor)},
        predictors={ANY: predictor},
        learnt=frozenset(corpus.name for corpus in card.corpora),
        notes=("The card does not say which noises were in training; some tests may use them.",),
    )


def from_folds(
    name: str,
    predictors: Mapping[str, Predictor],
    out_of_fold: Mapping[str, Predictions],
    *,
    noise: Path | None = None,
    kinds: Mapping[str, str | None] = MappingProxyType({}),
) -> System:
    """Return the fold models of a run as a system.

    Args:
        name: name of the run.
        predictors: fold → its model; all have the same labels. The first one hears what no fold tests.
        out_of_fold: corpus → predictions of the cross-validation, over these labels.
        noise: folder of the noises in training.
        kinds: see `System`.
    """
    first = next(iter(predictors.values()))
    digests = "".join(predictor.card.sha256 for predictor in predictors.values())
    hear = {fold: hearing(predictor) for fold, predictor in predictors.items()}
    return System(
        name=name,
        labels=first.labels,
        digest=hashlib.sha256(digests.encode()).hexdigest(),
        hear={ANY: hearing(first), **hear},
        predictors={ANY: first, **predictors},
        learnt=frozenset(corpus.name for corpus in first.card.corpora),
        out_of_fold=out_of_fold,
        noise=noise,
        kinds=kinds,
    )


def hearing(predictor: Predictor) -> Hear:
    """Return the answers of a model on the path of `predict`."""

    def hear(samples: Samples, rate: int) -> SystemAnswer:
        """Return the answer for samples [n]."""
        return _answer(predictor.predict((samples, rate)), predictor.labels)

    return hear


def _answer(result: Result, labels: tuple[str, ...]) -> SystemAnswer:
    if result.scores is None:
        return SystemAnswer(None, None, 0.0)
    scores = tuple(result.scores[label] for label in labels)
    labelled = sum(segment.end - segment.start for segment in result.segments if segment.label is not None)
    return SystemAnswer(labels[int(np.argmax(scores))], scores, labelled)
