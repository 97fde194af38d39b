"""Pool frames [b, t, c] into one vector per clip; padding after a clip changes nothing.

Sums are float32 also if mixed precision gives frames in half precision.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from emovox.schema.errors import ConfigError

EPSILON = 1e-6
"""Constant added to a variance before the root: a constant channel has the deviation 0.001, and a gradient."""


def mean_deviation(frames: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return mean and population deviation over time.

    Args:
        frames: [b, t, c].
        mask: [b, t], true on the frames of a clip, false on padding; None if there is no padding.

    Returns:
        Shape [b, 2 c], means before deviations.

    >>> mean_deviation(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[2.0000, 1.0000]])
    """
    frames = frames.float()
    if mask is None:
        mean = frames.mean(1, keepdim=True)
        variance = (frames - mean).square().mean(1)
    else:
        shares = (mask / mask.sum(1, keepdim=True))[:, :, None]
        mean = (frames * shares).sum(1, keepdim=True)
        variance = ((frames - mean).square() * shares).sum(1)
    return torch.cat([mean[:, 0], (variance + EPSILON).sqrt()], dim=1)


class AttentiveStatistics(nn.Module):
    """Mean and deviation over time with learnt weights: a small network gives each frame its weights.

    Args:
        width: channels c.
        hidden: hidden units of the small network.
        heads: weights per frame; each is for width / heads neighbouring channels. None gives one per channel, which
            takes half as long again (0.36 instead of 0.23 ms for 150 frames of 512 channels in ONNX Runtime).

    Raises:
        ConfigError: the number of heads does not divide the channels.

    Shape:
        - Input: frames [b, t, c], mask [b, t], true on the frames of a clip.
        - Output: [b, 2 c], means before deviations.

    Reference:
        Okabe, Koshinaka and Shinoda, "Attentive statistics pooling for deep speaker embedding", 2018; one weight a
        channel: Desplanques, Thienpondt and Demuynck, "ECAPA-TDNN", 2020.
    """

    def __init__(self, width: int, hidden: int, heads: int | None = None) -> None:
        super().__init__()
        self.width, self.heads = width, heads or width
        if width % self.heads:
            raise ConfigError(f"got {heads} heads for {width} channels, expected a number that divides them")
        self.hidden = nn.Conv1d(width, hidden, 1)
        self.weigh = nn.Conv1d(hidden, self.heads, 1)

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the weighted statistics."""
        channels = frames.transpose(1, 2)
        scores = self.weigh(torch.tanh(self.hidden(channels))).float()
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], torch.finfo(scores.dtype).min)
        weights, channels = torch.softmax(scores, dim=2), channels.float()
        if self.heads < self.width:
            weights = weights[:, :, None]
            channels = channels.reshape(frames.shape[0], self.heads, self.width // self.heads, -1)
        mean = (channels * weights).sum(-1, keepdim=True)
        variance = ((channels - mean).square() * weights).sum(-1)
        return torch.cat([mean.squeeze(-1).flatten(1), (variance + EPSILON).sqrt().flatten(1)], dim=1)
