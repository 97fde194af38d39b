"""Optimisation: learning rates by step and depth, AdamW in groups, and the moving average of the weights."""

from __future__ import annotations

import math
import warnings
from copy import deepcopy

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from emovox.models.network import Network
from emovox.schema.errors import TrainingError
from emovox.training.plan import Optimiser

FRAMES = 100
"""Frames of the trial run that finds out whether the processor has what a precision needs."""

SCALE = "scale"
"""Key of a parameter group: its learning rate as a fraction of that of the last layer."""


def learning_rate_at(step: int, plan: Optimiser) -> float:
    """Return the learning rate of the last layer in a step, counted from 0: linear warm-up, then a cosine down to 0.

    Reference:
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation 5.

    >>> [round(learning_rate_at(step, Optimiser(steps=6, learning_rate=1.0, warm_up=0.4)), 3) for step in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    rising = round(plan.warm_up * plan.steps)
    if step < rising:
        return plan.learning_rate * (step + 1) / rising
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rising) / (plan.steps - rising)))


def make_optimiser(network: Network, plan: Optimiser, *, fused: bool = True) -> torch.optim.AdamW:
    """Return AdamW over the parameters that learn, grouped by depth and weight decay; biases and norms do not decay.

    Args:
        network: encoder and head.
        plan: learning rate, weight decay, and decay of the learning rate by depth.
        fused: one pass over the weights, 3.7 times as fast for a small head; not possible with scaled gradients.

    Raises:
        TrainingError: a parameter that learns is in no group of `Encoder.depths`, or in several; or none learns.

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
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=plan.learning_rate, fused=fused)


def set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of the last layer; lower layers get their fraction of it."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate * group[SCALE]


class EMA(AveragedModel):
    """Exponential moving average of a network's weights, which is often better than the weights of any step.

    Buffers, such as the statistics of batch normalisation, are copied: they are moving averages already.

    Args:
        network: the network that is averaged; `module` is the averaged copy.
        decay: fraction of the old average that a step keeps, in [0, 1); 0 copies the weights.

    Reference:
        Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.
    """

    module: Network

    def __init__(self, network: Network, decay: float) -> None:
        super().__init__(
            network, avg_fn=lambda mean, weight, done: mean.lerp(weight, 1 - decay_at(int(done) - 1, decay))
        )
        self.n_averaged.fill_(1)  # the weights before the first step are part of the average


def decay_at(step: int, decay: float) -> float:
    """Return the decay of a step, counted from 0: low at first, so that the first weights soon lose their influence.

    >>> [round(decay_at(step, 0.99), 2) for step in (0, 8, 90, 10_000)]
    [0.1, 0.5, 0.91, 0.99]
    """
    return min(decay, (1 + step) / (10 + step))


def _check(network: nn.Module, depths: list[list[nn.Parameter]]) -> None:
    found = [id(parameter) for depth in depths for parameter in depth]
    learning = {id(parameter): name for name, parameter in network.named_parameters() if parameter.requires_grad}
    wrong = [name for number, name in learning.items() if found.count(number) != 1]
    if wrong:
        raise TrainingError(
            f"{wrong[0]}: got {len(wrong)} parameters that Encoder.depths() and the head do not name once"
        )
    if not found:
        raise TrainingError("got a network without a parameter that learns, expected some with requires_grad")


def usable_precision(network: Network, precision: str) -> str:
    """Return the precision in which this machine can train a network: "32-true" if it lacks the LSTM in bfloat16.

    Warns:
        UserWarning: the precision is not the one that was asked for.
    """
    lstm = any(isinstance(module, nn.LSTM) for module in network.modules())
    if precision == "32-true" or not lstm or torch.cuda.is_available() or runs_in_bfloat16(network):
        return precision
    warnings.warn(
        f"optimiser.precision is {precision}, but this processor has no LSTM in bfloat16; training in 32-true, which "
        "takes longer; set optimiser.precision=32-true to silence this",
        stacklevel=2,
    )
    return "32-true"


def runs_in_bfloat16(network: Network) -> bool:
    """Return whether the processor can run a network in bfloat16; oneDNN has no LSTM for it without AVX-512."""
    inputs, mask = torch.zeros(2, FRAMES, network.encoder.n_inputs), torch.ones(2, FRAMES, dtype=torch.bool)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            deepcopy(network).train()(inputs, mask)["logits"].sum().backward()
    except RuntimeError as error:
        return "primitive descriptor" not in str(error)  # other errors show themselves in the training
    return True
