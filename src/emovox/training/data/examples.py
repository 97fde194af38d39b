"""Training examples: rows of inputs of different lengths, read by number and padded to a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from emovox.training.data.task import Indices, Task

Load = Callable[[Indices], tuple[Tensor, Tensor]]
"""Returns inputs [b, t, c] float32, padded with 0, and mask [b, t] of the rows with these numbers [b]."""


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch of b rows.

    Attributes:
        inputs: [b, t, c] float32, padded with 0.
        mask: [b, t], true on the frames of the row, false on padding.
        targets: [b, classes] shares that sum to 1.
        allowed: [b, classes], true for the classes that the row's corpus has.
        speaker, corpus, language: [b] int64 numbers, as `Task` gives them; -1: unknown. A mixture of two rows has
            those of the first.
        names: [b] names of clips, for messages.
        hints: [b, d] a teacher's embeddings of the clips; None: no teacher.
        progress: share of the steps that are done, in [0, 1).
    """

    inputs: Tensor
    mask: Tensor
    targets: Tensor
    allowed: Tensor
    speaker: Tensor
    corpus: Tensor
    language: Tensor
    names: tuple[str, ...]
    hints: Tensor | None = None
    progress: float = 0.0

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in tensors.items()})  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class DistillationTargets:
    """Outputs of a teacher for n clips: `targets` [n, classes] shares that sum to 1, `hints` [n, d] its embeddings."""

    targets: npt.NDArray[np.float32]
    hints: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Examples:
    """n rows to learn from, each of them a view of a clip.

    Attributes:
        task: clips and classes.
        owner: [n] number of each row's clip.
        load: reads rows.
        distillation: outputs of a teacher for all clips; None: the label is the target.
    """

    task: Task
    owner: Indices
    load: Load
    distillation: DistillationTargets | None = None

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def labels(self) -> Indices:
        """Return the class of each row, [n] numbers."""
        labels: Indices = self.task.labels[self.owner]
        return labels

    def names(self, rows: Sequence[int] | Indices) -> tuple[str, ...]:
        """Return the names of the rows' clips."""
        return tuple(self.task.name(int(clip)) for clip in self.owner[rows])

    def batch(self, rows: Indices) -> Batch:
        """Return a batch of the rows with these numbers."""
        task, clips = self.task, self.owner[rows]
        inputs, mask = self.load(rows)
        targets = one_hot(torch.from_numpy(task.labels[clips]), len(task.classes)).float()
        hints = None
        if self.distillation is not None:
            targets = torch.from_numpy(self.distillation.targets[clips])
            hints = torch.from_numpy(self.distillation.hints[clips])
        speaker, corpus, language = (torch.from_numpy(of[clips]) for of in (task.speaker, task.corpus, task.language))
        allowed = torch.from_numpy(task.allowed[clips])
        return Batch(inputs, mask, targets, allowed, speaker, corpus, language, self.names(rows), hints)


def vectors(values: npt.NDArray[np.float32] | npt.NDArray[np.float16]) -> Load:
    """Return a loader of rows [n, c] in memory, each as a clip of one frame."""

    def load(rows: Indices) -> tuple[Tensor, Tensor]:
        """Return inputs [b, 1, c] and mask [b, 1] of rows."""
        inputs = torch.from_numpy(values[rows][:, None]).float()
        return inputs, torch.ones(inputs.shape[:2], dtype=torch.bool)

    return load


def pad(values: Sequence[npt.NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """Return rows [t, c] of different lengths as inputs [b, t, c], padded with 0, and mask [b, t]."""
    lengths = np.array([len(value) for value in values])
    inputs = np.zeros((len(values), lengths.max(), values[0].shape[1]), np.float32)
    for row, value in zip(inputs, values, strict=True):
        row[: len(value)] = value
    return torch.from_numpy(inputs), torch.from_numpy(np.arange(lengths.max()) < lengths[:, None])
