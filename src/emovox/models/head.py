"""Heads from statistics to logits: standardise, one hidden layer, one affine layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import msgspec
from torch import Tensor, nn

EPSILON = 1e-5
"""Constant added to a variance before the root."""


class HeadConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sizes of a head.

    Attributes:
        hidden: units of the hidden layer, the width of the embedding.
        dropout_in: share of standardised statistics that dropout sets to 0, in [0, 1).
        dropout: share of the embedding that dropout sets to 0, in [0, 1).
        plain: whether the statistics are not standardised, and the hidden layer is affine and ReLU without
            normalisation.
    """

    hidden: int = 256
    dropout_in: float = 0.3
    dropout: float = 0.5
    plain: bool = False


class Fixed(nn.BatchNorm1d):
    """Standardisation that ignores the batch: with mean 0 and variance 1 until they are set."""

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002  # always in eval mode
        """Stay in eval mode."""
        return super().train(False)


class BaseHead(nn.Module, ABC):
    """Head from statistics to logits in two steps: `embed`, and `classify` from embeddings [b, d] to [b, classes]."""

    classify: nn.Module

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """Mean that is subtracted from the statistics, shape [p]."""

    @property
    @abstractmethod
    def scale(self) -> Tensor:
        """Scale that divides them then, shape [p]."""

    @abstractmethod
    def embed(self, statistics: Tensor, mean: Tensor | None = None, scale: Tensor | None = None) -> Tensor:
        """Return the embedding of statistics, shape [b, d].

        Args:
            statistics: [b, p].
            mean: [p] or [1 or b, p] of a speaker; None takes the training set's.
            scale: as `mean`.
        """

    def forward(self, statistics: Tensor) -> dict[str, Tensor]:
        """Return "embedding" [b, d] and "logits" [b, classes] of statistics of shape [b, p]."""
        embedding = self.embed(statistics)
        return {"embedding": embedding, "logits": self.classify(embedding)}


class Head(BaseHead):
    """Head that learns by gradient descent.

    In training it standardises statistics by the batch, and `mean` and `scale` follow the batches as in batch
    normalisation. `set_statistics` fixes them if the statistics are already standardised (`outputs`).

    Args:
        n_statistics: width p of the statistics.
        n_classes: number of classes.
        config: sizes.

    Shape:
        - Input: statistics [b, p].
        - Output: logits [b, classes] and embedding [b, hidden], by name.
    """

    classify: nn.Linear

    def __init__(self, n_statistics: int, n_classes: int, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        standard = Fixed if config.plain else nn.BatchNorm1d
        self.standard = standard(n_statistics, affine=False, eps=EPSILON)
        self.hidden = nn.Sequential(
            nn.Dropout(config.dropout_in),
            nn.Linear(n_statistics, config.hidden),
            *([nn.ReLU()] if config.plain else [nn.BatchNorm1d(config.hidden), nn.GELU()]),
        )
        self.dropout = nn.Dropout(config.dropout)
        self.classify = nn.Linear(config.hidden, n_classes)

    @property
    def mean(self) -> Tensor:
        """Mean that is subtracted, shape [p]."""
        mean: Tensor = self.standard.get_buffer("running_mean")
        return mean

    @property
    def scale(self) -> Tensor:
        """Scale that divides, shape [p]."""
        return (self.standard.get_buffer("running_var") + EPSILON).sqrt()

    def set_statistics(self, mean: Tensor, scale: Tensor) -> None:
        """Set mean and scale of the training set, both of shape [p]."""
        self.standard.get_buffer("running_mean").copy_(mean)
        self.standard.get_buffer("running_var").copy_(scale.square() - EPSILON)

    def embed(self, statistics: Tensor, mean: Tensor | None = None, scale: Tensor | None = None) -> Tensor:
        """Return the input of the last affine layer, shape [b, hidden].

        Args:
            statistics: [b, p].
            mean: [p] or [1 or b, p] of a speaker; None takes the training set's.
            scale: as `mean`.
        """
        mean, scale = self.mean if mean is None else mean, self.scale if scale is None else scale
        embedding: Tensor = self.hidden((statistics - mean) / scale)
        return embedding

    def outputs(self, standard: Tensor) -> dict[str, Tensor]:
        """Return "embedding" [b, hidden] and "logits" [b, classes] of standardised statistics of shape [b, p]."""
        embedding = self.hidden(standard)
        return {"embedding": embedding, "logits": self.classify(self.dropout(embedding))}

    def forward(self, statistics: Tensor) -> dict[str, Tensor]:
        """Return `outputs` of statistics of shape [b, p]; in training they are standardised by the batch."""
        return self.outputs(self.standard(statistics))
