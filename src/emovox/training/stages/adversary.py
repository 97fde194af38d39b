"""An adversary that guesses from the embedding where a clip comes from, while a network is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from emovox.models.network import Network
from emovox.schema.errors import RecipeError
from emovox.training.data.task import Indices, Task
from emovox.training.plan import Adversary

HIDDEN = 64
"""Units of the hidden layer of an adversary."""


class Reverse(torch.autograd.Function):
    """The identity whose gradient has the other sign.

    Reference:
        Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", ICML 2015, equations 7 and 8.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ARG004
        """Return the values."""
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        """Return the gradient with the other sign."""
        return -gradients[0]


class OriginClassifier(nn.Module):
    """The adversary: embeddings [b, d] → one hidden layer → logits [b, n] of n origins; the gradient is reversed."""

    def __init__(self, width: int, n: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, n))

    def forward(self, embedding: Tensor) -> Tensor:
        """Compute the logits."""
        logits: Tensor = self.layers(Reverse.apply(embedding))  # type: ignore[no-untyped-call]
        return logits


def origin_classifier(network: Network, adversary: Adversary, task: Task) -> OriginClassifier:
    """Return the adversary of a plan with random weights."""
    return OriginClassifier(network.head.classify.in_features, 1 + int(origins(task, adversary).max()))


def origins(task: Task, adversary: Adversary) -> Indices:
    """Return the number of each clip's origin, [n]; -1: unknown.

    Raises:
        RecipeError: the clips have only one.
    """
    found: Indices = getattr(task, adversary.on)
    if len(set(found.tolist()) - {-1}) < 2:
        raise RecipeError(
            f"adversary.on is '{adversary.on}', and the clips have only one {adversary.on}, expected two or more; "
            "leave the adversary out, or add corpora"
        )
    return found


@contextmanager
def adversary_attached(network: Network, classifier: OriginClassifier) -> Iterator[None]:
    """Give a network the output "origin" [b, n] in training; the optimiser and the checkpoint see the adversary too.

    Afterwards the network is without the adversary.
    """

    def with_origin(module: nn.Module, _: object, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**outputs, "origin": classifier(outputs["embedding"])} if module.training else outputs

    network.guess_of_origin = classifier  # this name is in checkpoints
    hook = network.register_forward_hook(with_origin)
    try:
        yield
    finally:
        hook.remove()
        del network.guess_of_origin
