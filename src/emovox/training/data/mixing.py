"""Changes of a training batch: cropping, stripes (SpecAugment) and mixtures (mixup)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from emovox.training.data.examples import Batch
from emovox.training.plan import Mixup, Plan, SpecAugment


def augmented(batch: Batch, plan: Plan, generator: torch.Generator) -> Batch:
    """Apply the changes of a plan; `generator` is one of the CPU, on whatever device the batch is."""
    stripes, mixing = plan.spec_augment, plan.mixup
    if plan.crop:
        batch = crop(batch, plan.crop, generator)
    if stripes.probability:
        batch = replace(batch, inputs=spec_augment(batch.inputs, batch.mask, stripes, generator))
    return mixup(batch, mixing, generator) if mixing.probability else batch


def crop(batch: Batch, frames: int, generator: torch.Generator) -> Batch:
    """Cut longer clips down to a piece of `frames` frames with a random start.

    A step takes as long as its longest clip. With pieces of 2 s a small network needs half the time.

    Args:
        batch: b rows, padding last.
        frames: greatest length of a row afterwards.
        generator: of all random numbers.

    Returns:
        The batch with inputs and mask [b, at most `frames`]; all else is unchanged.
    """
    device, lengths = batch.inputs.device, batch.mask.sum(1).cpu()
    kept = lengths.clamp(max=frames)
    starts = (torch.rand(len(lengths), generator=generator) * (lengths - kept + 1)).floor().long()
    mask = torch.arange(int(kept.max())) < kept[:, None]
    places = torch.where(mask, starts[:, None] + torch.arange(mask.shape[1]), 0).to(device)
    pieces = batch.inputs.gather(1, places[:, :, None].expand(-1, -1, batch.inputs.shape[2]))
    mask = mask.to(device)
    return replace(batch, inputs=pieces.masked_fill(~mask[:, :, None], 0.0), mask=mask)


def spec_augment(inputs: Tensor, mask: Tensor, plan: SpecAugment, generator: torch.Generator) -> Tensor:
    """Set random stripes of clips to 0: frames within the clip, and channels.

    Args:
        inputs: [b, t, c] with a mean near 0; otherwise a stripe adds an edge instead of hiding one.
        mask: [b, t] true on the frames of a clip, which come before the padding.
        plan: probability, greatest widths and numbers of stripes.
        generator: of all random numbers.

    Returns:
        [b, t, c], a new tensor.

    Reference:
        Park et al., "SpecAugment", Interspeech 2019, section 2 (without time warping).
    """
    chosen = torch.rand(len(inputs), generator=generator).to(inputs.device) < plan.probability
    frames = _stripes(mask.sum(1).cpu(), inputs.shape[1], plan.time, plan.n_time, generator)
    channels = _stripes(
        torch.full((len(inputs),), inputs.shape[2]), inputs.shape[2], plan.channels, plan.n_channels, generator
    )
    hidden = frames.to(inputs.device)[:, :, None] | channels.to(inputs.device)[:, None, :]
    return inputs.masked_fill(hidden & chosen[:, None, None], 0.0)


def _stripes(lengths: Tensor, size: int, share: float, count: int, generator: torch.Generator) -> Tensor:
    """Return [b, size], true within `count` stripes of up to `share` of a row's length, all inside that length."""
    widths = (torch.rand(len(lengths), count, generator=generator) * (share * lengths[:, None] + 1)).floor()
    widths = widths.minimum((share * lengths[:, None]).floor())
    starts = (torch.rand(len(lengths), count, generator=generator) * (lengths[:, None] - widths + 1)).floor()
    places = torch.arange(size)
    hit = (places >= starts[:, :, None]) & (places < (starts + widths)[:, :, None])
    return hit.any(1)


def mixup(batch: Batch, plan: Mixup, generator: torch.Generator) -> Batch:
    """Mix a batch with itself in another order, or leave it as it is.

    A mixture of two corpora has the allowed classes of both, so that its target falls on allowed classes only.

    Args:
        batch: b rows.
        plan: probability of a batch, and `beta` of Beta(beta, beta), from which the share of each row is drawn.
        generator: of all random numbers.

    Returns:
        The batch with mixed inputs, targets and hints; mask and allowed are unions; names are unchanged.

    Reference:
        Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, equation 1.
    """
    if torch.rand((), generator=generator) >= plan.probability:
        return batch
    other = torch.randperm(len(batch.inputs), generator=generator).to(batch.inputs.device)
    # torch has no Beta with a generator: numpy draws, seeded from it
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    drawn = rng.beta(plan.beta, plan.beta, len(other)).astype(np.float32)
    share = torch.from_numpy(drawn).to(batch.inputs.device)
    return replace(
        batch,
        inputs=torch.lerp(batch.inputs[other], batch.inputs, share[:, None, None]),
        mask=batch.mask | batch.mask[other],
        targets=torch.lerp(batch.targets[other], batch.targets, share[:, None]),
        allowed=batch.allowed | batch.allowed[other],
        hints=None if batch.hints is None else torch.lerp(batch.hints[other], batch.hints, share[:, None]),
    )
