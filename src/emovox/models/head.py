"""From statistics to logits: standardise, one hidden layer, one affine map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import msgspec
from torch import Tensor, nn

EPSILON = 1e-5
"""Added to a variance under the root."""


class HeadConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sizes of a head; `dropout_in` acts on the standardised statistics, `dropout` on the embedding.

    A `plain` head takes the statistics as they are, and its hidden layer is affine and ReLU without normalisation.
    """

    hidden: int = 256
    dropout_in: float = 0.3
    dropout: float = 0.5
    plain: bool = False


class Fixed(nn.BatchNorm1d):
    """Standardisation that never follows a batch: by mean 0 and variance 1 until they are set."""

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002  # it stays as it is
        """Leave it as it is."""
        return super().train(False)


class BaseHead(nn.Module, ABC):
    """From statistics to logits in two steps: `embed`, and `classify`, which maps embeddings [b, d] to [b, classes]."""

    classify: nn.Module

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """[p] that is taken off the statistics."""

    @property
    @abstractmethod
    def scale(self) -> Tensor:
        """[p] that they are divided by then."""

    @abstractmethod
    def embed(self, statistics: Tensor, mean: Tensor | None = None, scale: Tensor | None = None) -> Tensor:
        """Return the embedding [b, d] of statistics [b, p].

        Args:
            statistics: [b, p].
            mean: [p] of a speaker, in place of the training set's.
            scale: [p], likewise.
        """

    def forward(self, statistics: Tensor) -> dict[str, Tensor]:
        """[b, p] → "embedding" [b, d] and "logits" [b, classes]."""
        embedding = self.embed(statistics)
        return {"embedding": embedding, "logits": self.classify(embedding)}


class Head(BaseHead):
    """Statistics → logits.

    While it learns, statistics are standardised by those of the batch, and `mean` and `scale` follow them as in batch
    normalisation; `set_statistics` fixes them where statistics are standardised before (`outputs`).

    Args:
        n_statistics: p.
        n_classes: outputs.
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
        """[p] that is taken off."""
        mean: Tensor = self.standard.get_buffer("running_mean")
        return mean

    @property
    def scale(self) -> Tensor:
        """[p] that is divided by."""
        return (self.standard.get_buffer("running_var") + EPSILON).sqrt()

    def set_statistics(self, mean: Tensor, scale: Tensor) -> None:
        """Fix what statistics are standardised by: mean and scale [p] of the training set."""
        self.standard.get_buffer("running_mean").copy_(mean)
        self.standard.get_buffer("running_var").copy_(scale.square() - EPSILON)

    def embed(self, statistics: Tensor, mean: Tensor | None = None, scale: Tensor | None = None) -> Tensor:
        """Return what the last affine map sees, [b, hidden].

        Args:
            statistics: [b, p].
            mean: [p] of a speaker, in place of the training set's.
            scale: [p], likewise.
        """
        own = self.mean if mean is None else mean, self.scale if scale is None else scale
        embedding: Tensor = self.hidden((statistics - own[0]) / own[1])
        return embedding

    def outputs(self, standard: Tensor) -> dict[str, Tensor]:
        """Compute "embedding" [b, hidden] and "logits" [b, classes] of statistics [b, p] that are standardised."""
        embedding = self.hidden(standard)
        return {"embedding": embedding, "logits": self.classify(self.dropout(embedding))}

    def forward(self, statistics: Tensor) -> dict[str, Tensor]:
        """[b, p] → `outputs`, standardised by the batch while it learns."""
        return self.outputs(self.standard(statistics))
