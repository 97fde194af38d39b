"""Compute the mel spectrum in decibels and cepstral coefficients from a power spectrum."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from emovox.features.config import FeatureConfig
from emovox.features.mel import AMIN, dct_matrix, mel_filters

N_SLABS = 4
"""Groups of neighbouring filters; each is multiplied only with its bins: 0.06 ms instead of 0.10 ms for 3 s."""


class LogMel(nn.Module):
    """Mel power in dB, clipped at `top_db` below the loudest value of its recording.

    Args:
        config: frame features.
    """

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.top_db = config.top_db
        self.spans: list[tuple[int, int]] = []
        for index, slab in enumerate(np.array_split(mel_filters(config), min(N_SLABS, config.n_mels))):
            used = np.flatnonzero(slab.any(0))
            start, end = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
            self.spans.append((start, end))
            self.register_buffer(f"slab{index}", torch.from_numpy(slab[:, start:end].copy()), persistent=False)

    def forward(self, power: Tensor) -> Tensor:
        """Return the log-mel of power [b, bins, t], shape [b, n_mels, t], in dB."""
        slabs = [getattr(self, f"slab{i}") @ power[:, start:end] for i, (start, end) in enumerate(self.spans)]
        decibels = torch.cat(slabs, 1).clamp_min(AMIN).log() * (10 / math.log(10))
        return torch.maximum(decibels, decibels.amax((1, 2), keepdim=True) - self.top_db)


class Cepstrum(nn.Module):
    """The first coefficients of the orthonormal DCT-II of a log-mel spectrum.

    Args:
        config: frame features.
    """

    basis: Tensor

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        basis = torch.from_numpy(dct_matrix(config.n_mels, config.n_mfcc).T.copy())
        self.register_buffer("basis", basis, persistent=False)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Return the coefficients of log-mel [b, n_mels, t], shape [b, n_mfcc, t]."""
        return self.basis @ log_mel
