"""Time derivatives of feature tracks by Savitzky-Golay smoothing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from emovox.features.delta import savgol_weights


class Deltas(nn.Module):
    """First and second derivative of each track, by fits of degree one and two, in one grouped convolution.

    A derivative of order p of a polynomial of degree p is constant. So librosa's mode "interp" is equal to a repetition
    of the first and last full fit at the edges (see `features.delta`).

    Args:
        n_tracks: number of tracks.
        width: length of the fit in frames, odd; a recording needs at least this many frames.
    """

    weight: Tensor

    def __init__(self, n_tracks: int, width: int) -> None:
        super().__init__()
        self.n_tracks, self.margin = n_tracks, width // 2
        weight = np.stack([savgol_weights(width, order) for order in (1, 2)])[:, None]
        self.register_buffer("weight", torch.from_numpy(np.tile(weight, (n_tracks, 1, 1))), persistent=False)

    def forward(self, tracks: Tensor) -> tuple[Tensor, Tensor]:
        """Return both derivatives of tracks [b, n_tracks, t], t >= width, of the same shape, per frame and frame²."""
        fits = functional.conv1d(tracks, self.weight, groups=self.n_tracks)
        both = functional.pad(fits, (self.margin, self.margin), mode="replicate")
        return both[:, ::2], both[:, 1::2]
