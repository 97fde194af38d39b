"""Fake quantisation: an encoder computes in float what an INT8 graph would, and learns the scales by gradient descent.

Each convolution and affine map rounds its weights and its input to the levels of 8 bits; a convolution also rounds its
output. Rounding has the gradient of the identity (straight through), so steps and weights learn together. Batch norm is
folded first, as the graph folds it.

Reference:
    Esser et al., "Learned step size quantization", ICLR 2020 (steps); Bhalgat et al., "LSQ+", CVPR workshops 2020 (zero
    points); Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
    inference", CVPR 2018, section 3.2 (folded batch norm).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

LEVELS = 255
"""Largest level of an activation; the smallest is 0."""

WEIGHT_LEVELS = 64
"""Largest level of a weight: 7 bits, because without VNNI the sum of two products of 8 bits saturates."""

RATE = 0.1
"""Learning rate of the logarithm of a step, as a share of that of the weights, which are in units of their steps."""

_TINY = 1e-8


class Range(NamedTuple):
    """Levels of an activation: the value of level q in [0, `LEVELS`] is (q - zero) · step."""

    step: float
    zero: int


def rounded(values: Tensor) -> Tensor:
    """Round to whole numbers; the gradient is that of the identity.

    >>> values = torch.tensor([0.4, 1.6], requires_grad=True)
    >>> rounded(values).sum().backward()
    >>> rounded(values).tolist(), values.grad.tolist()
    ([0.0, 2.0], [1.0, 1.0])
    """
    return values + (values.round() - values).detach()


class Activation(nn.Module):
    """Rounds a tensor to `LEVELS` + 1 levels; step and zero point learn.

    It measures the range of its inputs until `settle` is called, and changes nothing before that.
    """

    first: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.low = self.high = 0.0
        self.measures = True
        self.register_buffer("first", torch.tensor(1.0))
        self.log_step = nn.Parameter(torch.tensor(0.0))
        self.zero = nn.Parameter(torch.tensor(0.0))

    def settle(self) -> None:
        """Take step and zero point from the smallest and the largest value so far."""
        step = max(self.high - self.low, _TINY) / LEVELS
        self.first.fill_(step)
        with torch.no_grad():
            self.zero.fill_(-self.low / step)
        self.measures = False

    @property
    def range(self) -> Range:
        """Return what was learnt."""
        zero = int(self.zero.detach().round().clamp(0, LEVELS))
        return Range(float(self._step().detach()), zero)

    def _step(self) -> Tensor:
        return self.first * (RATE * self.log_step).exp()

    def forward(self, values: Tensor) -> Tensor:
        """Round values of any shape."""
        if self.measures:
            low, high = values.detach().aminmax()
            self.low, self.high = min(self.low, float(low)), max(self.high, float(high))
            return values
        step, zero = self._step(), rounded(self.zero).clamp(0, LEVELS)
        return ((rounded(values / step) + zero).clamp(0, LEVELS) - zero) * step


class WeightLevels(nn.Module):
    """Parametrisation of weights [outputs, …]: they learn in units of a step for each output, and are rounded."""

    first: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        peak = weight.detach().abs().flatten(1).amax(1).clamp_min(_TINY)
        self.register_buffer("first", peak / WEIGHT_LEVELS)
        self.log_step = nn.Parameter(torch.zeros_like(peak))

    def steps(self) -> Tensor:
        """Return the step of each output, shape [outputs]."""
        return self.first * (RATE * self.log_step).exp()

    def levels(self, units: Tensor) -> Tensor:
        """Return whole numbers of steps, from weights in units of the first steps."""
        shrunk = units * by_output((-RATE * self.log_step).exp(), units)
        return rounded(shrunk).clamp(-WEIGHT_LEVELS, WEIGHT_LEVELS)

    def forward(self, units: Tensor) -> Tensor:
        """Return the rounded weights."""
        return self.levels(units) * by_output(self.steps(), units)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return weights in units of the first steps."""
        return weight / by_output(self.first, weight)


class BiasUnits(nn.Module):
    """Parametrisation of a bias [outputs], which learns in units of the first steps of the weights."""

    first: Tensor

    def __init__(self, first: Tensor) -> None:
        super().__init__()
        self.register_buffer("first", first.clone())

    def forward(self, units: Tensor) -> Tensor:
        """Return the bias."""
        return units * self.first

    def right_inverse(self, bias: Tensor) -> Tensor:
        """Return the bias in units."""
        return bias / self.first


def by_output(values: Tensor, like: Tensor) -> Tensor:
    """Return values [outputs] in a shape that multiplies weights [outputs, …]."""
    return values.reshape(-1, *[1] * (like.ndim - 1))
