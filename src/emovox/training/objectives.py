"""What a network makes small: cross-entropy over the classes of a clip's corpus, smoothed and focused if wanted."""

from __future__ import annotations

import torch
from torch import Tensor

from emovox.training.data.batch import Batch
from emovox.training.plan import Loss

LEAST_DOUBT = 1e-7
"""Of 1 - p under a power: below a power of 1 its slope at 0 is infinite."""


def batch_loss(outputs: Tensor, batch: Batch, plan: Loss, alpha: Tensor | None = None) -> Tensor:
    """Compute the loss of every row of a batch, [b] float32.

    Args:
        outputs: [b, classes + d]: logits, and where there is a teacher what is to come to its embeddings.
        batch: the rows.
        plan: how the parts are weighed.
        alpha: [classes] weights of classes; None: all 1.
    """
    n_classes = batch.targets.shape[1]
    logits, guesses = outputs[:, :n_classes], outputs[:, n_classes:]
    losses = classification_loss(
        logits, batch.targets, batch.allowed, gamma=plan.gamma, alpha=alpha, smoothing=plan.smoothing
    )
    if batch.hints is None or not plan.hint:
        return losses
    distances: Tensor = (guesses.float() - batch.hints).square().mean(1)
    return losses + plan.hint * distances


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
