"""Recordings without labels: the student learns the scores of its teacher for them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emovox.audio.files import audio_files
from emovox.corpora.manifest import Clip
from emovox.corpora.probe import header
from emovox.schema.errors import AudioError, RecipeError
from emovox.training.data.examples import DistillationTargets
from emovox.training.data.inputs import Inputs
from emovox.training.data.task import Indices, Task
from emovox.training.recipe import UNLABELLED


def unlabelled_clips(folders: Sequence[str], task: Task) -> tuple[Clip, ...]:
    """Return the recordings of folders as clips without label and speaker, of the corpus "unlabelled".

    Raises:
        RecipeError: a folder cannot be read or has no recordings, or a recording is a clip of the task: the student
            would learn from test clips.
    """
    known = {str(Path(clip.path).resolve()) for clip in task.clips}
    found: dict[str, Clip] = {}
    for folder in folders:
        try:
            for path in audio_files(folder):
                place = str(path.resolve())
                if place in known:
                    raise RecipeError(
                        f"teacher.unlabelled is '{folder}', which has {path.name}, a clip of the corpora; expected "
                        "other recordings, of other speakers than those that are tested"
                    )
                found[place] = _clip(place)
        except AudioError as error:
            raise RecipeError(f"teacher.unlabelled: {error}; expected folders of recordings") from error
    return tuple(found.values())


def _clip(path: str) -> Clip:
    duration, rate = header(Path(path))
    return Clip(corpus=UNLABELLED, id=path, path=path, native=UNLABELLED, duration=duration, sample_rate=rate)


def files_key(clips: Sequence[Clip]) -> str:
    """Return a key of the names and lengths of recordings; "" without any."""
    if not clips:
        return ""
    content = "\n".join(f"{Path(clip.path).name} {clip.duration}" for clip in clips)
    return " " + hashlib.sha256(content.encode()).hexdigest()[:16]


def with_unlabelled(task: Task, clips: Sequence[Clip]) -> Task:
    """Return the task with further clips after its own: all classes are allowed, and the label is not known yet (0)."""
    labels = np.concatenate([task.labels, np.zeros(len(clips), task.labels.dtype)])
    allowed = np.concatenate([task.allowed, np.ones((len(clips), len(task.classes)), dtype=bool)])
    return Task((*task.clips, *clips), task.classes, labels, allowed, task.weights)


def with_pseudo_labels(task: Task, first: int, targets: DistillationTargets) -> Task:
    """Return the task in which clips from `first` on have the teacher's likeliest class; draws are balanced by it."""
    labels = np.concatenate([task.labels[:first], targets.targets[first:].argmax(axis=1)])
    return Task(task.clips, task.classes, labels, task.allowed, task.weights)


def voiced(inputs: Inputs, clips: Indices) -> Indices:
    """Return the clips in which speech was found; a teacher has no scores for the others."""
    return np.unique(inputs.owner[inputs.select(clips)])
