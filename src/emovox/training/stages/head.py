"""A head that learns from statistics that are there already, and the logits that any head gives for statistics."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import torch
from torch import Tensor

from emovox.models.head import Head
from emovox.models.network import Encoder, Network
from emovox.models.scores import Matrix
from emovox.training.data.statistics import Values


class Pooled(Encoder):
    """Stands for an encoder whose statistics are there already; they take the place of the waveform."""

    def inputs(self, samples: Tensor) -> Tensor:
        """Take statistics [b, p] as a clip of one frame, [b, 1, p]."""
        return samples[:, None]

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


def merged(heads: Sequence[Head]) -> Head:
    """Join heads that learnt from the same statistics into one, whose logits are the mean of theirs.

    The hidden layers stand side by side, so the last map stays affine.
    """
    if len(heads) == 1:
        return heads[0]
    first = heads[0]
    n_classes, n_statistics = first.classify.out_features, len(first.mean)
    config = msgspec.structs.replace(first.config, hidden=sum(head.config.hidden for head in heads))
    whole = Head(n_statistics, n_classes, config)
    states = [head.state_dict() for head in heads]
    together = {}
    for name, value in states[0].items():
        if name.startswith("standard.") or not value.ndim:
            together[name] = value
        elif name.startswith("classify."):
            parts = [state[name] / len(heads) for state in states]
            together[name] = torch.cat(parts, dim=1) if value.ndim == 2 else torch.stack(parts).sum(0)
        else:
            together[name] = torch.cat([state[name] for state in states])
    whole.load_state_dict(together)
    return whole.to(first.mean.device).eval()


def logits(head: Head, statistics: Values, mean: Values | None = None, deviation: Values | None = None) -> Matrix:
    """Compute the logits [n, classes] of statistics [n, p], standardised by the training set or as is given."""
    with torch.inference_mode():
        return _matrix(head.classify(_embedded(head, statistics, mean, deviation)))


def embeddings(head: Head, statistics: Values) -> Matrix:
    """Compute the embeddings [n, d] of statistics [n, p], standardised by the training set."""
    with torch.inference_mode():
        return _matrix(_embedded(head, statistics))


def _embedded(head: Head, statistics: Values, *speaker: Values | None) -> Tensor:
    head.eval()
    device = head.mean.device
    scale = (None if value is None else torch.from_numpy(value).to(device) for value in speaker)
    return head.embed(torch.from_numpy(statistics).to(device), *scale)


def _matrix(found: Tensor) -> Matrix:
    values: Matrix = found.cpu().numpy().astype(np.float64)
    return values
