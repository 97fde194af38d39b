"""Loudness and noisiness in the time domain: root mean square and zero-crossing rate."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from emovox.features.energy import ZERO

TINY_SQUARE = 1e-30
"""Lower limit of a mean square (RMS 1e-15 instead of 0), so that the root has a finite derivative at silence."""


class FrameMean(nn.Module):
    """Mean over each frame of values per sample, given as block columns (`dft.Blocks`).

    The sum over a block is a product with ones: ONNX Runtime's ReduceSum over that axis takes twice as long.

    Args:
        block: samples per column.
        length: length of a frame in samples, a multiple of `block`.
        hop: step between frames in samples, a multiple of `block`.
    """

    share: Tensor

    def __init__(self, *, block: int, length: int, hop: int) -> None:
        super().__init__()
        self.n_blocks, self.stride = length // block, hop // block
        self.register_buffer("share", torch.full((1, block), 1 / block), persistent=False)

    def forward(self, blocks: Tensor) -> Tensor:
        """Return the means of block columns [b, block, columns], shape [b, 1, t]."""
        return pooled(self.share @ blocks, self.n_blocks, self.stride)


def pooled(values: Tensor, length: int, stride: int) -> Tensor:
    """Return the means of runs of values [b, 1, n], shape [b, 1, t]; in 2-D, because TensorRT has no 1-D pooling."""
    return functional.avg_pool2d(values[:, None], (1, length), (1, stride))[:, 0]


class Rms(nn.Module):
    """Root mean square of centred frames, with zeros beyond the ends, as in librosa.feature.rms.

    Args:
        block: samples per block column.
        length: length of a frame in samples.
        hop: step between frames in samples.
    """

    def __init__(self, *, block: int, length: int, hop: int) -> None:
        super().__init__()
        self.mean = FrameMean(block=block, length=length, hop=hop)

    def forward(self, blocks: Tensor) -> Tensor:
        """Return the RMS of block columns [b, block, columns], shape [b, t]."""
        mean: Tensor = self.mean(blocks * blocks)
        return mean.flatten(1).clamp_min(TINY_SQUARE).sqrt()


class ZeroCrossingRate(nn.Module):
    """Share of samples in centred frames whose sign differs from the sample before, as in librosa; no gradient.

    The first sample of a frame has no sample before it. So pairs are counted at their earlier sample, and the pair at
    the last sample of a frame is subtracted.

    Args:
        block: samples per block.
        length: length of a frame in samples.
        hop: step between frames in samples.
    """

    def __init__(self, *, block: int, length: int, hop: int) -> None:
        super().__init__()
        self.block, self.length, self.hop = block, length, hop

    def forward(self, samples: Tensor) -> Tensor:
        """Return the rates of samples [b, n], shape [b, t], in [0, 1)."""
        negative = samples < -ZERO
        crossings = (negative[:, 1:] ^ negative[:, :-1]).to(samples.dtype)
        margin, whole = self.length // 2, samples.shape[-1] // self.block * self.block
        padded = functional.pad(crossings, (margin, margin + 1))[:, : whole + 2 * margin]
        blocks = padded.reshape(samples.shape[0], 1, -1, self.block)
        rates = pooled(blocks.mean(3), self.length // self.block, self.hop // self.block)
        last = padded[:, self.length - 1 :: self.hop]
        return rates.flatten(1) - last / self.length
