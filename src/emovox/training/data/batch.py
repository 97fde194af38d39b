"""What the loop is fed with: rows of inputs of different lengths, drawn by number, padded to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """b rows.

    `inputs` [b, t, c] float32, padded with 0; `mask` [b, t] true on a row's own frames; `targets` [b, classes] shares
    that sum to 1; `allowed` [b, classes] the classes that the row's corpus has; `names` [b] for messages; `hints`
    [b, d] a teacher's embeddings of the clips, if there is a teacher.
    """

    inputs: Tensor
    mask: Tensor
    targets: Tensor
    allowed: Tensor
    names: tuple[str, ...]
    hints: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the same on another device."""
        inputs, mask, targets, allowed = (
            tensor.to(device, non_blocking=True) for tensor in (self.inputs, self.mask, self.targets, self.allowed)
        )
        hints = None if self.hints is None else self.hints.to(device, non_blocking=True)
        return Batch(inputs, mask, targets, allowed, self.names, hints)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a teacher says of n clips: `targets` [n, classes] shares of sum 1, and `hints` [n, d] its embeddings."""

    targets: npt.NDArray[np.float32]
    hints: npt.NDArray[np.float32]


class Examples(Protocol):
    """n rows to learn from, each one view of a clip.

    Examples with a method `batch(rows) → (inputs [b, t, c], mask [b, t])` are asked for whole batches by it, not for
    `values`.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """[n] numbers of classes."""

    @property
    def allowed(self) -> npt.NDArray[np.bool_]:
        """[n, classes] the classes that the row's corpus has."""

    @property
    def owner(self) -> npt.NDArray[np.int64]:
        """[n] number of the clip."""

    @property
    def group(self) -> npt.NDArray[np.str_]:
        """[n] name of the corpus."""

    @property
    def lesson(self) -> Lesson | None:
        """What a teacher says of all clips, by number; None: the label is the target."""

    def values(self, row: int) -> npt.NDArray[np.float32]:
        """Return the inputs [t, c] of a row."""

    def name(self, row: int) -> str:
        """Return the name of a row's clip, "corpus id"."""


@dataclass(frozen=True, eq=False)
class ArrayExamples:
    """Examples of one length that lie in memory, such as statistics over time: `inputs` [n, t, c]; see `Examples`."""

    inputs: npt.NDArray[np.float32] | npt.NDArray[np.float16]
    labels: npt.NDArray[np.int64]
    allowed: npt.NDArray[np.bool_]
    owner: npt.NDArray[np.int64]
    group: npt.NDArray[np.str_]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    lesson: Lesson | None = None

    def values(self, row: int) -> npt.NDArray[np.float32]:
        """Return the inputs [t, c] of a row."""
        return np.asarray(self.inputs[row], np.float32)

    def name(self, row: int) -> str:
        """Return the name of a row's clip."""
        return self.names[row]

    def batch(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return inputs [b, t, c] and mask [b, t] at once: a tenth of the time of one by one."""
        inputs = torch.from_numpy(self.inputs[rows]).float()
        return inputs, torch.ones(inputs.shape[:2], dtype=torch.bool)


def collate(examples: Examples, rows: Sequence[int] | npt.NDArray[np.int64]) -> Batch:
    """Make a batch of some rows."""
    whole = getattr(examples, "batch", None)
    inputs, mask = whole(rows) if whole is not None else pad([examples.values(row) for row in rows])
    allowed = torch.from_numpy(examples.allowed[rows])
    names = tuple(examples.name(row) for row in rows)
    if examples.lesson is None:
        targets = torch.nn.functional.one_hot(torch.from_numpy(examples.labels[rows]), allowed.shape[1]).float()
        return Batch(inputs, mask, targets, allowed, names)
    clips = examples.owner[rows]
    targets, hints = (torch.from_numpy(said[clips]) for said in (examples.lesson.targets, examples.lesson.hints))
    return Batch(inputs, mask, targets, allowed, names, hints)


def pad(values: Sequence[npt.NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """Put rows [t, c] of different lengths into inputs [b, t, c], followed by 0, and mask [b, t]."""
    lengths = np.array([len(value) for value in values])
    inputs = np.zeros((len(values), lengths.max(), values[0].shape[1]), np.float32)
    for row, value in zip(inputs, values, strict=True):
        row[: len(value)] = value
    return torch.from_numpy(inputs), torch.from_numpy(np.arange(lengths.max()) < lengths[:, None])
