"""The average over the weights of the last steps, which often does better than the weights of any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of what learns.

    Buffers, such as the statistics of a batch normalisation, are moving averages already: they stay as they are.

    Args:
        network: whose weights are followed.
        decay: share of the old average that a step keeps; 0: no average, and all methods do nothing.

    Reference:
        Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        followed = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad and decay]
        self._weights = dict(followed)
        self._means = {name: weight.detach().clone() for name, weight in followed}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        for name, mean in self._means.items():
            mean.lerp_(self._weights[name], 1 - decay_at(step, self.decay))

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Put the average in the place of the weights, for as long as the block lasts."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the average and the weights."""
        for name, mean in self._means.items():
            kept = mean.clone()
            mean.copy_(self._weights[name])
            self._weights[name].copy_(kept)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the average by name of the weight; not a copy."""
        return dict(self._means)

    @torch.no_grad()
    def load_state_dict(self, means: dict[str, Tensor]) -> None:
        """Take over an average of the same network.

        Raises:
            KeyError: a weight is missing.
        """
        for name, mean in self._means.items():
            mean.copy_(means[name])


def decay_at(step: int, decay: float) -> float:
    """Return the decay of a step, counted from 0: low at first, so that the first weights are soon forgotten.

    >>> [round(decay_at(step, 0.99), 2) for step in (0, 8, 90, 10_000)]
    [0.1, 0.5, 0.91, 0.99]
    """
    return min(decay, (1 + step) / (10 + step))
