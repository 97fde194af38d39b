"""Inputs without audio: frames drawn by class, speaker and view, for fits of a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from emovox.augment.conditions import NARROW
from emovox.corpora.manifest import Clip
from emovox.models.encoders import build_encoder
from emovox.models.head import HeadConfig
from emovox.models.scores import class_mask
from emovox.training.data.inputs import Inputs
from emovox.training.data.task import Task
from emovox.training.data.views import TILE, WHOLE, copy_view
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.plan import Optimiser, Plan, Stopping
from emovox.training.recipe import Data
from tests.corpora.trees import clip
from tests.models.small import CLASSES, MOBILE

SPEAKERS = ("ada", "bob", "cy", "dee")
VIEWS = (WHOLE, TILE, TILE, NARROW, copy_view(1))


def drawn_task(
    labels: Sequence[str] = CLASSES, *, corpus: str = "own", speakers: Sequence[str | None] = SPEAKERS, takes: int = 2
) -> Task:
    """`takes` clips of each speaker and label."""
    clips = [
        clip(corpus, number, speaker, label)
        for number, (speaker, label) in enumerate(
            (s, label) for s in speakers for label in labels for _ in range(takes)
        )
    ]
    return task_of(clips)


def joined(*tasks: Task) -> Task:
    """All clips of some tasks, over all their classes."""
    return task_of([one for task in tasks for one in task.clips])


def task_of(clips: Sequence[Clip]) -> Task:
    """Task of these clips."""
    labels = [str(one.label) for one in clips]
    classes = sorted(set(labels))
    allowed = class_mask([one.corpus for one in clips], classes, labels)
    return Task(tuple(clips), tuple(classes), np.array([classes.index(label) for label in labels]), allowed)


def drawn_inputs(task: Task, *, silent: Sequence[int] = (), width: int = 0, seed: int = 0) -> Inputs:
    """Every clip whole, in two tiles, one narrow and one changed; `silent` clips whole only.

    A class is a pattern over the channels, a speaker another that is weaker.
    """
    width = width or build_encoder(MOBILE).n_inputs
    rng = np.random.default_rng(seed)
    patterns, voices = rng.normal(size=(len(task.classes), width)), 0.5 * rng.normal(size=(9, width))
    names = sorted({f"{one.corpus} {one.speaker}" for one in task.clips})
    owner, view, frames = [], [], []
    for number, one in enumerate(task.clips):
        for name in VIEWS[: 1 if number in silent else None]:
            noise = rng.normal(size=(12 + int(rng.integers(8)), width))
            owner.append(number)
            view.append(name)
            frames.append(noise + patterns[task.labels[number]] + voices[names.index(f"{one.corpus} {one.speaker}")])
    lengths = np.array([len(part) for part in frames])
    return Inputs(
        owner=np.array(owner),
        seconds=np.array([1.0 if name == WHOLE else 2.0 for name in view]),
        view=np.array(view),
        file=np.zeros(len(owner), np.int64),
        start=np.cumsum(lengths) - lengths,
        length=lengths,
        stores=(np.concatenate(frames).astype(np.float16),),
    )


def changed(inputs: Inputs, clips: Sequence[int], value: float) -> Inputs:
    """The same, where all frames of some clips have another value."""
    store = inputs.stores[0].copy()
    for row in np.flatnonzero(np.isin(inputs.owner, clips)):
        store[inputs.start[row] : inputs.start[row] + inputs.length[row]] = value
    return replace(inputs, stores=(store,))


def plan(steps: int = 8, *, share: float = 0.0, least: int = 2) -> Plan:
    """Few steps, saved after each."""
    return Plan(
        optimiser=Optimiser(steps=steps, batch=12, learning_rate=0.02),
        stopping=Stopping(share=share, least=least, every=steps, patience=9),
        checkpoint_seconds=0.0,
    )


def small_recipe(**changes: Any) -> NetworkRecipe:
    """Two stages, one speaker held out."""
    recipe = NetworkRecipe(
        name="small",
        data=Data(corpora=("own.jsonl",), protocol="si"),
        encoder=MOBILE,
        head=HeadConfig(hidden=8, dropout_in=0.1, dropout=0.1),
        learning=plan(share=0.3),
        head_learning=plan(),
        inner_folds=2,
    )
    return msgspec.structs.replace(recipe, **changes)
