"""Small networks from features of a sentence encoder to emotions, learnt with mixup; several act as a wide one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.float32]

UNITS, MEMBERS = 96, 3
"""Hidden units of a network, and networks. The mean of their logits is one network with all units."""

EPOCHS, BATCH, RATE, DECAY = 12, 128, 2e-3, 0.05
"""Passes over the lines, lines of a step, highest learning rate and weight decay of AdamW."""

DROPOUT_IN, DROPOUT, SMOOTHING, BETA = 0.3, 0.5, 0.1, 0.4
"""Share of the features and of the units that dropout sets to 0, label smoothing, and the parameter of mixup."""

_LEAST_DEVIATION = 1e-3  # a few features of the encoder never change


class TextNetwork(NamedTuple):
    """What was learnt: mean [features], hidden [features, units], output [units, labels], and their biases."""

    mean: Array
    hidden: Array
    hidden_bias: Array
    output: Array
    output_bias: Array


def learn_network(features: Array, truth: NDArray[np.intp], *, n_labels: int) -> TextNetwork:
    """Return the network that takes features [n, p], less their mean, to logits of the labels.

    Source: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: Beyond Empirical Risk Minimization" (2018).

    Args:
        features: float32 [n, p].
        truth: numbers of the labels, [n].
        n_labels: number of labels.
    """
    mean, deviation = features.mean(0), np.maximum(features.std(0), _LEAST_DEVIATION)
    standard = (features - mean) / deviation
    members = [_member(standard, truth, n_labels, seed) for seed in range(MEMBERS)]
    hidden, hidden_bias, output, output_bias = zip(*members, strict=True)
    return TextNetwork(
        mean,
        np.concatenate(hidden, 1) / deviation[:, None],
        np.concatenate(hidden_bias),
        np.asarray(np.concatenate(output) / MEMBERS, np.float32),
        np.stack(output_bias).mean(0).astype(np.float32),
    )


def _member(features: Array, truth: NDArray[np.intp], n_labels: int, seed: int) -> tuple[Array, ...]:
    """Return matrix and bias of the hidden layer, then of the output, of one network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        hidden, output = nn.Linear(features.shape[1], UNITS), nn.Linear(UNITS, n_labels)
        network = nn.Sequential(nn.Dropout(DROPOUT_IN), hidden, nn.ReLU(), nn.Dropout(DROPOUT), output)
        _descend(network, torch.from_numpy(features), torch.from_numpy(np.eye(n_labels, dtype=np.float32)[truth]), seed)
    layers = [part.detach().numpy() for layer in (hidden, output) for part in (layer.weight.T, layer.bias)]
    return tuple(np.ascontiguousarray(layer) for layer in layers)


def _descend(network: nn.Module, inputs: Tensor, targets: Tensor, seed: int) -> None:
    """Train a network: two lines of a batch are mixed at a random share, and so are their labels."""
    rng = np.random.default_rng(seed)
    batch = min(BATCH, len(inputs))
    steps = EPOCHS * (len(inputs) // batch)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps + 1, pct_start=0.2)
    smooth = targets * (1 - SMOOTHING) + SMOOTHING / targets.shape[1]
    for _ in range(EPOCHS):
        order = torch.from_numpy(rng.permutation(len(inputs)))
        for start in range(0, len(inputs) - batch + 1, batch):
            one = order[start : start + batch]
            other = one[torch.from_numpy(rng.permutation(batch))]
            share = torch.from_numpy(rng.beta(BETA, BETA, (batch, 1)).astype(np.float32))
            logs = torch.log_softmax(network(share * inputs[one] + (1 - share) * inputs[other]), 1)
            loss = -(logs * (share * smooth[one] + (1 - share) * smooth[other])).sum(1).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
