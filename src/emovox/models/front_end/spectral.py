"""Compute centroid and roll-off of the magnitude spectrum."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from emovox.features.config import FeatureConfig
from emovox.features.spectrum import bin_frequencies

TINY_POWER = 1e-30
"""Lower limit of a power, so that the root has a finite derivative at silence."""

SILENCE = 1e-12
"""Sum of magnitudes below which a frame is silent: its centroid is 0, as in librosa. `TINY_POWER`s sum to 3e-13."""


class SpectralShape(nn.Module):
    """Centroid and roll-off of the magnitude spectrum, as in librosa; roll-off has no gradient.

    Counts over the bins are products with a row vector: ONNX Runtime's ReduceSum over that axis takes twice as long.

    Args:
        config: frame features.
    """

    moments: Tensor
    step: Tensor

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.share = config.rolloff
        frequencies = bin_frequencies(sample_rate=config.sample_rate, n_fft=config.n_fft)
        moments = np.stack([np.ones_like(frequencies), frequencies]).astype(np.float32)
        self.register_buffer("moments", torch.from_numpy(moments), persistent=False)
        step = torch.full((1, len(frequencies)), config.sample_rate / config.n_fft)
        self.register_buffer("step", step, persistent=False)

    def forward(self, power: Tensor) -> tuple[Tensor, Tensor]:
        """Return centroid and roll-off in Hz of power [b, bins, t], both of shape [b, t]."""
        magnitude = power.clamp_min(TINY_POWER).sqrt()
        total, weighted = (self.moments @ magnitude).unbind(1)
        centroid = torch.where(total > SILENCE, weighted, 0.0) / total
        reached = magnitude.cumsum(1)
        short = (reached < self.share * reached[:, -1:]).to(power.dtype)
        rolloff = torch.where(total > SILENCE, (self.step @ short).flatten(1), 0.0)
        return centroid, rolloff
