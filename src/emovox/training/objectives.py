"""Objectives: terms of the loss over named outputs of a network, weighted by the recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from emovox.schema.errors import ConfigError
from emovox.training.data.examples import Batch
from emovox.training.plan import Plan

LEAST_DOUBT = 1e-7
"""Least value of 1 - p in (1 - p)^gamma: for gamma below 1 the slope at 0 is infinite."""

Outputs = Mapping[str, Tensor]
"""Outputs of a network in training, by name: "statistics" [b, p], "embedding" [b, d], "logits" [b, classes] …"""

Origin = Literal["language", "corpus", "speaker"]
"""What an adversary guesses, by the name of the attribute of `Batch`."""

Objective = Callable[[Outputs, Batch], Tensor]
"""Returns the loss of each row, [b] float32, from outputs and batch."""

Weighted = tuple[float, Objective]
"""An objective and its weight in the sum."""


def make_objectives(plan: Plan, classes: Sequence[str]) -> tuple[Weighted, ...]:
    """Return the objectives of a plan; add new objectives here.

    Args:
        plan: its tables `loss` and `adversary` have their weights.
        classes: of the task.

    Raises:
        ConfigError: `alpha` names an unknown class.
    """
    loss, on = plan.loss, plan.adversary.on
    unknown = sorted(set(loss.alpha) - set(classes))
    if unknown:
        raise ConfigError(f"loss.alpha has {', '.join(unknown)}, expected some of {', '.join(classes)}")
    alpha = torch.tensor([loss.alpha.get(name, 1.0) for name in classes]) if loss.alpha else None

    def classification(outputs: Outputs, batch: Batch) -> Tensor:
        """Compute the classification loss of each row, [b]."""
        logits = outputs["logits"]
        weights = None if alpha is None else alpha.to(logits.device)
        return classification_loss(
            logits, batch.targets, batch.allowed, gamma=loss.gamma, alpha=weights, smoothing=loss.smoothing
        )

    hints = [(loss.hint, hint_loss)] if loss.hint else []
    adversaries = [(plan.adversary.strength, adversarial(on))] if on else []
    return ((1.0, classification), *hints, *adversaries)


def weighted_loss(objectives: Sequence[Weighted], outputs: Outputs, batch: Batch) -> Tensor:
    """Compute the weighted sum of the objectives for each row, [b] float32."""
    (first, objective), *others = objectives
    losses = first * objective(outputs, batch)
    for weight, other in others:
        losses = losses + weight * other(outputs, batch)
    return losses


def hint_loss(outputs: Outputs, batch: Batch) -> Tensor:
    """Compute the mean squared distance of "hints" [b, d] to a teacher's embeddings; 0 without a teacher."""
    if batch.hints is None:
        return torch.zeros(len(batch.inputs), device=batch.inputs.device)
    distances: Tensor = (outputs["hints"].float() - batch.hints).square().mean(1)
    return distances


def adversarial(on: Origin) -> Objective:
    """Return the adversary's cross-entropy for "origin" [b, n], times `rise`; 0 for clips of unknown origin.

    The gradient is reversed between embedding and adversary (`stages.adversary`). The adversary itself learns at the
    same rate at any weight, because the steps of AdamW do not depend on the size of the gradient.
    """

    def loss(outputs: Outputs, batch: Batch) -> Tensor:
        """Compute the loss of each row, [b]."""
        logits, origin = outputs["origin"].float(), getattr(batch, on)
        return rise(batch.progress) * functional.cross_entropy(logits, origin, ignore_index=-1, reduction="none")

    return loss


def rise(progress: float) -> float:
    """Return the share of an adversary's strength when `progress` of the steps are done: 2 / (1 + exp(-10 p)) - 1.

    Reference:
        Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016, section 5.2.2.

    >>> [round(rise(progress), 2) for progress in (0, 0.1, 0.3, 1)]
    [0.0, 0.46, 0.91, 1.0]
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1


def classification_loss(
    logits: Tensor,
    targets: Tensor,
    allowed: Tensor,
    *,
    gamma: float = 0.0,
    alpha: Tensor | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Compute the loss of each row: -Σ alpha · target · (1 - p)^gamma · log p, over the allowed classes.

    A class that is not allowed has probability 0, and its logit gets no gradient. Losses are not divided by the sum of
    the alphas, so the mean over two batches is the mean of their means.

    Args:
        logits: [b, classes], of any precision; computed in float32.
        targets: [b, classes] shares that sum to 1, all on allowed classes.
        allowed: [b, classes] bool, at least one class per row.
        gamma: >= 0; 0 is cross-entropy.
        alpha: [classes] weights >= 0; None: 1 for each class.
        smoothing: share of the target, in [0, 1), that is spread evenly over the allowed classes.

    Returns:
        [b] float32.

    Reference:
        Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5 (here summed over soft targets).
        Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7.

    >>> classification_loss(torch.zeros(1, 4), torch.eye(4)[:1], torch.tensor([[True, True, False, False]]))
    tensor([0.6931])
    """
    masked = logits.float().masked_fill(~allowed, -torch.inf)
    # 0 instead of -inf after the logarithm: a target of 0 times -inf would be NaN
    log_p = torch.log_softmax(masked, dim=1).masked_fill(~allowed, 0.0)
    if smoothing:
        targets = (1 - smoothing) * targets + smoothing * allowed / allowed.sum(1, keepdim=True)
    weights = targets if alpha is None else targets * alpha
    if gamma:
        weights = weights * (-torch.expm1(log_p)).clamp_min(LEAST_DOUBT) ** gamma
    return -(weights * log_p).sum(1)
