"""A head that learns from statistics that are there already, and the logits that any head gives for statistics."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from emovox.models.head import Head
from emovox.models.network import Encoder, Network
from emovox.models.svm import Matrix
from emovox.training.network.statistics import Values


class Pooled(Encoder):
    """Stands for an encoder whose statistics are there already: [b, 1, p] → [b, p]."""

    def inputs(self, samples: Tensor) -> Tensor:
        """Refuse: there is no waveform."""
        raise NotImplementedError

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Take the one frame."""
        return inputs[:, 0]


class HeadAlone(Network):
    """A head, for the loop: learns from statistics [b, 1, p] that are standardised already, each row in its own way."""

    def __init__(self, head: Head) -> None:
        super().__init__(Pooled(), head)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute the logits."""
        return self.head.from_standard(self.encoder.pool(inputs, mask))


def logits(head: Head, statistics: Values, mean: Values | None = None, deviation: Values | None = None) -> Matrix:
    """Compute the logits [n, classes] of statistics [n, p], standardised by the training set or as is given."""
    head.eval()
    device = head.mean.device
    speaker = (None if value is None else torch.from_numpy(value).to(device) for value in (mean, deviation))
    with torch.inference_mode():
        found = head.classify(head.embed(torch.from_numpy(statistics).to(device), *speaker))
    values: Matrix = found.cpu().numpy().astype(np.float64)
    return values
