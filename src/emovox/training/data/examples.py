"""Rows on disk as examples of the loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from emovox.training.data.batch import Lesson
from emovox.training.data.inputs import Inputs
from emovox.training.data.task import Indices, Task


@dataclass(frozen=True, eq=False)
class RowExamples:
    """n rows of inputs, read when they are drawn; see `emovox.training.data.batch.Examples`."""

    inputs: Inputs
    rows: Indices
    labels: Indices
    allowed: npt.NDArray[np.bool_]
    owner: Indices
    group: npt.NDArray[np.str_]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    lesson: Lesson | None = None

    @classmethod
    def of(cls, task: Task, inputs: Inputs, rows: Indices, lesson: Lesson | None = None) -> RowExamples:
        """Take some rows, with what the task says of their clips, and a teacher."""
        owner = inputs.owner[rows]
        labels, allowed = task.labels[owner], task.allowed[owner]
        return cls(inputs, rows, labels, allowed, owner, *named(task, owner), classes=task.classes, lesson=lesson)

    def values(self, row: int) -> npt.NDArray[np.float32]:
        """Return the inputs [t, c] of a row."""
        return self.inputs.values(int(self.rows[row]))

    def batch(self, rows: Indices) -> tuple[Tensor, Tensor]:
        """Return inputs [b, t, c] and mask [b, t]."""
        return self.inputs.padded(self.rows[rows])

    def name(self, row: int) -> str:
        """Return the name of a row's clip, "corpus id"."""
        return self.names[row]


def named(task: Task, owner: Indices) -> tuple[npt.NDArray[np.str_], tuple[str, ...]]:
    """Return corpus [n] and name ("corpus id") of the clips that rows belong to."""
    clips = [task.clips[number] for number in owner]
    return np.array([clip.corpus for clip in clips]), tuple(f"{clip.corpus} {clip.id}" for clip in clips)
