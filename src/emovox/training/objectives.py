"""What a network makes small: objectives over its named outputs, each weighed by the recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from emovox.schema.errors import ConfigError
from emovox.training.data.examples import Batch
from emovox.training.plan import Loss

LEAST_DOUBT = 1e-7
"""Least value of 1 - p under a power: below a power of 1 its slope at 0 is infinite."""

Outputs = Mapping[str, Tensor]
"""What a network gives in training, by name: "statistics" [b, p], "embedding" [b, d], "logits" [b, classes] …"""

Objective = Callable[[Outputs, Batch], Tensor]
"""Takes outputs and batch, returns the loss of every row, [b] float32."""

Weighted = tuple[float, Objective]
"""An objective and its weight in the sum."""


def make_objectives(loss: Loss, classes: Sequence[str]) -> tuple[Weighted, ...]:
    """Return the objectives of a recipe's table [loss]; a further one is an entry here.

    Args:
        loss: how they are weighed.
        classes: of the task.

    Raises:
        ConfigError: `alpha` names a class that there is not.
    """
    unknown = sorted(set(loss.alpha) - set(classes))
    if unknown:
        raise ConfigError(f"loss.alpha has {', '.join(unknown)}, expected some of {', '.join(classes)}")
    alpha = torch.tensor([loss.alpha.get(name, 1.0) for name in classes]) if loss.alpha else None

    def classification(outputs: Outputs, batch: Batch) -> Tensor:
        logits = outputs["logits"]
        weights = None if alpha is None else alpha.to(logits.device)
        return classification_loss(
            logits, batch.targets, batch.allowed, gamma=loss.gamma, alpha=weights, smoothing=loss.smoothing
        )

    found: list[Weighted] = [(1.0, classification)]
    if loss.hint:
        found.append((loss.hint, hint_loss))
    return tuple(found)


def weighted_loss(objectives: Sequence[Weighted], outputs: Outputs, batch: Batch) -> Tensor:
    """Compute the weighted sum of objectives for every row, [b] float32."""
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


def classification_loss(
    logits: Tensor,
    targets: Tensor,
    allowed: Tensor,
    *,
    gamma: float = 0.0,
    alpha: Tensor | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Compute the loss of every row: -Σ alpha · target · (1 - p)^gamma · log p, over the allowed classes.

    A class that is not allowed has no probability, and its logit no gradient. Rows are not divided by the sum of their
    alphas, so that the mean over two batches is the mean of their means.

    Args:
        logits: [b, classes], of any precision; computed in float32.
        targets: [b, classes] shares that sum to 1, all on allowed classes.
        allowed: [b, classes] bool, at least one a row.
        gamma: >= 0; 0 is cross-entropy.
        alpha: [classes] weights >= 0; None: all 1.
        smoothing: share of the target in [0, 1) that is spread evenly over the allowed classes.

    Returns:
        [b] float32.

    Reference:
        Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5 (here summed over soft targets).
        Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7.

    >>> classification_loss(torch.zeros(1, 4), torch.eye(4)[:1], torch.tensor([[True, True, False, False]]))
    tensor([0.6931])
    """
    masked = logits.float().masked_fill(~allowed, -torch.inf)
    # 0 in place of -inf after the logarithm: a target of 0 times it would be NaN
    log_p = torch.log_softmax(masked, dim=1).masked_fill(~allowed, 0.0)
    if smoothing:
        targets = (1 - smoothing) * targets + smoothing * allowed / allowed.sum(1, keepdim=True)
    weights = targets if alpha is None else targets * alpha
    if gamma:
        weights = weights * (-torch.expm1(log_p)).clamp_min(LEAST_DOUBT) ** gamma
    return -(weights * log_p).sum(1)
