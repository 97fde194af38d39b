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
    that sum to 1; `allowed` [b, classes] the classes that the row's corpus has; `names` [b] for messages.
    """

    inputs: Tensor
    mask: Tensor
    targets: Tensor
    allowed: Tensor
    names: tuple[str, ...]


class Examples(Protocol):
    """n rows to learn from, each one view of a clip.

    `labels` [n] int64; `allowed` [n, classes] bool; `owner` [n] int64 number of the clip; `group` [n] name of the corpus.
    """

    labels: npt.NDArray[np.int64]
    allowed: npt.NDArray[np.bool_]
    owner: npt.NDArray[np.int64]
    group: npt.NDArray[np.str_]

    def values(self, row: int) -> npt.NDArray[np.float32]:
        """Return the inputs [t, c] of a row."""

    def name(self, row: int) -> str:
        """Return the name of a row's clip, "corpus id"."""


def collate(examples: Examples, rows: Sequence[int]) -> Batch:
    """Make a batch of some rows."""
    values = [torch.from_numpy(np.asarray(examples.values(row), np.float32)) for row in rows]
    lengths = torch.tensor([len(value) for value in values])
    inputs = torch.nn.utils.rnn.pad_sequence(values, batch_first=True)
    mask = torch.arange(inputs.shape[1])[None, :] < lengths[:, None]
    allowed = torch.from_numpy(examples.allowed[list(rows)])
    targets = torch.nn.functional.one_hot(torch.from_numpy(examples.labels[list(rows)]), allowed.shape[1]).float()
    return Batch(inputs, mask, targets, allowed, tuple(examples.name(row) for row in rows))
