"""Loudness and noisiness in the time domain: root mean square and zero-crossing rate."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from emovox.features.energy import ZERO

TINY_SQUARE = 1e-30
"""Below this a square counts as this (RMS 1e-15 instead of 0): the root keeps a finite derivative at silence."""


class FrameMean(nn.Module):
    """Mean over frames of what is given per sample, as block columns (`dft.Blocks`).

    The sum over a block is a product with ones: ONNX Runtime's ReduceSum over that axis takes twice as long.

    Args:
        block: samples in a column.
        length: of a frame, in samples; a multiple of `block`.
        hop: between frames, in samples; a multiple of `block`.
    """

    share: Tensor

    def __init__(self, *, block: int, length: int, hop: int) -> None:
        super().__init__()
        self.n_blocks, self.stride = length // block, hop // block
        self.register_buffer("share", torch.full((1, block), 1 / block), persistent=False)

    def forward(self, blocks: Tensor) -> Tensor:
        """[b, block, columns] -> [b, 1, t]."""
        return pooled(self.share @ blocks, self.n_blocks, self.stride)


def pooled(values: Tensor, length: int, stride: int) -> Tensor:
    """Average runs of values, [b, 1, n] -> [b, 1, t]; as a picture, as TensorRT has no pooling over one axis."""
    return functional.avg_pool2d(values[:, None], (1, length), (1, stride))[:, 0]


class Rms(nn.Module):
    """Root mean square of centred frames, zeros beyond the ends, as librosa.feature.rms.

    Args:
        block: samples in a block column.
        length: of a frame, in samples.
        hop: between frames, in samples.
    """

    def __init__(self, *, block: int, length: int, hop: int) -> None:
        super().__init__()
        self.mean = FrameMean(block=block, length=length, hop=hop)

    def forward(self, blocks: Tensor) -> Tensor:
        """[b, block, columns] -> [b, t]."""
        mean: Tensor = self.mean(blocks * blocks)
        return mean.flatten(1).clamp_min(TINY_SQUARE).sqrt()


class ZeroCrossingRate(nn.Module):
    """Share of samples in centred frames whose sign differs from the sample before, as librosa's; no gradient.

    The first sample of a frame has none before it. So pairs are counted at their earlier sample, and the pair at the
    last sample of a frame is taken off again.

    Args:
        block: samples in a block.
        length: of a frame, in samples.
        hop: between frames, in samples.
    """

    def __init__(self, *, block: int, length: int, hop: int) -> None:
        super().__init__()
        self.block, self.length, self.hop = block, length, hop

    def forward(self, samples: Tensor) -> Tensor:
        """[b, n] -> [b, t], in [0, 1)."""
        negative = samples < -ZERO
        crossings = (negative[:, 1:] ^ negative[:, :-1]).to(samples.dtype)
        margin, whole = self.length // 2, samples.shape[-1] // self.block * self.block
        padded = functional.pad(crossings, (margin, margin + 1))[:, : whole + 2 * margin]
        blocks = padded.reshape(samples.shape[0], 1, -1, self.block)
        rates = pooled(blocks.mean(3), self.length // self.block, self.hop // self.block)
        last = padded[:, self.length - 1 :: self.hop]
        return rates.flatten(1) - last / self.length
