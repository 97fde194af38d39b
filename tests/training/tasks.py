"""Tasks without audio: functionals drawn from clouds, one cloud a label, moved a little by speaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from emovox.augment.conditions import NARROW
from emovox.corpora.manifest import Clip
from emovox.features.functionals import functional_names
from emovox.models.scores import class_mask
from emovox.models.trained import TrainedModel
from emovox.training.data.inputs import Inputs
from emovox.training.data.task import Task
from emovox.training.data.views import TILE, WHOLE, copy_view
from emovox.training.recipe import Data
from emovox.training.run import Report, Run, train
from emovox.training.svm.method import SvmMethod
from emovox.training.svm.recipe import Features, Svm, SvmRecipe
from tests.corpora.trees import clip

LABELS = ("bored", "cross", "keen")
SPEAKERS = ("ada", "bob", "cy", "dee")
WIDTH = len(functional_names())


@dataclass(frozen=True, eq=False, kw_only=True)
class CloudTask(Task):
    """Clips, and the inputs of their views."""

    inputs: Inputs


def cloud_task(
    *,
    corpora: Sequence[str] = ("own",),
    labels: Sequence[str] = LABELS,
    speakers: Sequence[str | None] = SPEAKERS,
    takes: int = 4,
    spread: float = 0.5,
    seed: int = 0,
) -> CloudTask:
    """`takes` clips of each speaker and label: each in two tiles, one also changed and narrowed, and the whole."""
    clips = [
        clip(corpus, number, speaker, label)
        for corpus in corpora
        for number, (speaker, label) in enumerate(
            (speaker, label) for speaker in speakers for label in labels for _ in range(takes)
        )
    ]
    return clip_task(clips, sorted(labels), spread=spread, seed=seed)


def clip_task(clips: Sequence[Clip], classes: Sequence[str], *, spread: float = 0.5, seed: int = 0) -> CloudTask:
    """Task of these clips, with drawn functionals; `spread` is the distance of the clouds, noise being 1."""
    index = np.array([list(classes).index(str(one.label)) for one in clips])
    voices = sorted({f"{one.corpus} {one.speaker}" for one in clips})
    voice = np.array([voices.index(f"{one.corpus} {one.speaker}") for one in clips])
    rng = np.random.default_rng(seed)
    centres = spread * rng.normal(size=(len(classes), WIDTH))
    shifts = 0.3 * rng.normal(size=(len(voices), WIDTH))
    views = np.tile([WHOLE, TILE, TILE, copy_view(1), NARROW], len(clips))
    owner = np.repeat(np.arange(len(clips)), 5)
    values = centres[index[owner]] + shifts[voice[owner]] + rng.normal(size=(len(owner), WIDTH))
    allowed = class_mask([one.corpus for one in clips], classes, [str(one.label) for one in clips])
    inputs = Inputs(
        owner=owner,
        seconds=np.tile([1.0, 3.0, 2.0, 3.0, 3.0], len(clips)),
        view=views,
        file=np.zeros(len(owner), np.int64),
        start=np.arange(len(owner)),
        length=np.ones(len(owner), np.int64),
        stores=(values.astype(np.float32),),
    )
    return CloudTask(tuple(clips), tuple(classes), index, allowed, inputs=inputs)


def small_recipe(**changes: Any) -> SvmRecipe:
    """A recipe over one corpus, leave one speaker out, with two points in its grid."""
    recipe = SvmRecipe(
        name="small",
        data=Data(corpora=("own.jsonl",), protocol="si"),
        features=Features(groups=("mfcc", "f0")),
        svm=Svm(c=(1.0, 5.0), gamma=(0.5,), inner_folds=3),
    )
    return msgspec.structs.replace(recipe, **changes)


def train_svm(
    task: CloudTask, recipe: SvmRecipe, folder: Path, *, resume: bool = False, report: Report | None = None
) -> Run[TrainedModel]:
    """Train the baseline."""
    return train(task, recipe, folder, SvmMethod(task, task.inputs, recipe), resume=resume, report=report)
