"""What is done to a batch before it is learnt from: cropping, stripes (SpecAugment) and mixtures (mixup)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from emovox.training.data.examples import Batch
from emovox.training.plan import Mixup, Plan, SpecAugment


def augmented(batch: Batch, plan: Plan, generator: torch.Generator) -> Batch:
    """Apply what a recipe says; `generator` is one of the CPU, wherever the batch lies."""
    stripes, mixing = plan.spec_augment, plan.mixup
    if plan.crop:
        batch = crop(batch, plan.crop, generator)
    if stripes.probability:
        batch = replace(batch, inputs=spec_augment(batch.inputs, batch.mask, stripes, generator))
    return mixup(batch, mixing, generator) if mixing.probability else batch


def crop(batch: Batch, frames: int, generator: torch.Generator) -> Batch:
    """Cut clips that are longer than so many frames down to a piece of that length, which begins at random.

    A step takes as long as its longest clip: with pieces of 2 s one of the small networks takes half as long.

    Args:
        batch: b rows, own frames first.
        frames: the most that is left of a row.
        generator: of all draws.

    Returns:
        Inputs and mask [b, at most `frames`]; targets, allowed and names as before.
    """
    device, lengths = batch.inputs.device, batch.mask.sum(1).cpu()
    kept = lengths.clamp(max=frames)
    starts = (torch.rand(len(lengths), generator=generator) * (lengths - kept + 1)).floor().long()
    own = torch.arange(int(kept.max())) < kept[:, None]
    places = torch.where(own, starts[:, None] + torch.arange(own.shape[1]), 0).to(device)
    pieces = batch.inputs.gather(1, places[:, :, None].expand(-1, -1, batch.inputs.shape[2]))
    own = own.to(device)
    return replace(batch, inputs=pieces.masked_fill(~own[:, :, None], 0.0), mask=own)


def spec_augment(inputs: Tensor, mask: Tensor, plan: SpecAugment, generator: torch.Generator) -> Tensor:
    """Set stripes of some clips to 0: frames within the clip's own, and channels; widths are drawn from 0 up.

    Args:
        inputs: [b, t, c]; around 0, or a stripe stands out more than it hides.
        mask: [b, t] true on a clip's own frames, which come first.
        plan: probability, widths and numbers of stripes.
        generator: of all draws.

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
    """[b, size], true within `count` stripes of up to `share` of a row's length, all inside that length."""
    widths = (torch.rand(len(lengths), count, generator=generator) * (share * lengths[:, None] + 1)).floor()
    widths = widths.minimum((share * lengths[:, None]).floor())
    starts = (torch.rand(len(lengths), count, generator=generator) * (lengths[:, None] - widths + 1)).floor()
    places = torch.arange(size)
    hit = (places >= starts[:, :, None]) & (places < (starts + widths)[:, :, None])
    return hit.any(1)


def mixup(batch: Batch, plan: Mixup, generator: torch.Generator) -> Batch:
    """Mix a batch with itself in another order, or leave it as it is.

    A mixture of two corpora may be any class of either: else a target could fall on a class that is not allowed.

    Args:
        batch: b rows.
        plan: probability of a batch, and `beta` of Beta(beta, beta), from which every row's share is drawn.
        generator: of all draws.

    Returns:
        Inputs, targets and hints mixed; mask and allowed of either clip; names as before.

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
