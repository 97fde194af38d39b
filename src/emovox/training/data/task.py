"""A classification task: clips with their classes, and the classes that each corpus has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from emovox.corpora.folds import Fold, make_folds, speaker_key
from emovox.corpora.manifest import Clip
from emovox.corpora.registry import CORPORA
from emovox.corpora.views import classes_of, view
from emovox.models.scores import class_mask
from emovox.schema.errors import RecipeError
from emovox.training.recipe import UNLABELLED, Data

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Task:
    """n clips to learn from.

    Attributes:
        clips: [n].
        classes: their names.
        labels: [n] index into `classes`.
        allowed: [n, classes], true for the classes that the clip's corpus has.
        weights: corpus → weight of its clips in training; 1 for others.
    """

    clips: tuple[Clip, ...]
    classes: tuple[str, ...]
    labels: Indices
    allowed: npt.NDArray[np.bool_]
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def corpora(self) -> tuple[str, ...]:
        """Return the names of the corpora, in order of first appearance."""
        return tuple(dict.fromkeys(clip.corpus for clip in self.clips))

    @cached_property
    def corpus(self) -> Indices:
        """Return the number of each clip's corpus, [n]; corpora are numbered by name."""
        return _codes([clip.corpus for clip in self.clips])

    @cached_property
    def speaker(self) -> Indices:
        """Return the number of each clip's speaker, [n]; speakers are numbered by corpus and name; -1: unknown."""
        return _codes([speaker_key(clip) if clip.speaker else None for clip in self.clips])

    @cached_property
    def language(self) -> Indices:
        """Return the number of each clip's language, [n]; languages are numbered by ISO 639-1 code; -1: unknown."""
        return _codes([clip.language for clip in self.clips])

    def name(self, clip: int) -> str:
        """Return the name of a clip in messages, "corpus id"."""
        return f"{self.clips[clip].corpus} {self.clips[clip].id}"


def _codes(names: Sequence[str | None]) -> Indices:
    """Return the rank of each name in alphabetical order; -1 for None.

    >>> _codes(["b", None, "a", "b"]).tolist()
    [1, -1, 0, 1]
    """
    known = {name: code for code, name in enumerate(sorted({name for name in names if name is not None}))}
    return np.array([-1 if name is None else known[name] for name in names], np.int64)


def make_task(clips: Sequence[Clip], data: Data) -> Task:
    """Return the task of the clips that have a class in the label view.

    Raises:
        RecipeError: fewer than two classes are left, or a weight is of an unknown corpus; corpora that the task lacks
            are allowed.
        ProtocolError: the clips do not allow the protocol; raised before inputs are computed for hours.
    """
    labels: Sequence[str | None] = [clip.label for clip in clips] if data.view == "own" else view(clips, data.view)[1]
    kept = [i for i, label in enumerate(labels) if label is not None]
    names = [str(labels[i]) for i in kept]
    chosen = tuple(clips[i] for i in kept)
    known = classes_of(chosen) if data.view == "own" else view(clips, data.view)[0]
    classes = tuple(name for name in known if name in names)
    if len(classes) < 2:
        raise RecipeError(f"data.corpora has the classes {list(classes)}, expected at least two")
    corpora = dict.fromkeys(clip.corpus for clip in chosen)
    if unknown := sorted(set(data.weights) - {*corpora, *CORPORA, UNLABELLED}):
        raise RecipeError(f"data.weights has {', '.join(unknown)}, expected some of {', '.join(corpora)}")
    make_folds(data.protocol, chosen, labels=names, target=data.target)
    allowed = class_mask([clip.corpus for clip in chosen], classes, names)
    index_of = {name: number for number, name in enumerate(classes)}
    return Task(chosen, classes, np.array([index_of[name] for name in names]), allowed, data.weights)


def task_folds(task: Task, data: Data, *, seed: int) -> tuple[Fold, ...]:
    """Return the folds of the recipe's protocol; see `emovox.corpora.folds`.

    Raises:
        ProtocolError: the clips do not allow the protocol (no speakers, too few, wrong corpus).
    """
    names = [task.classes[label] for label in task.labels]
    return make_folds(data.protocol, task.clips, labels=names, target=data.target, seed=seed)
