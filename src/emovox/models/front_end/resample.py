"""Resample by one convolution, so that the graph needs no library for it."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from emovox.models.front_end.dft import Matrix

CROSSINGS = 32
"""Zero crossings of the sinc on each side."""

BETA = 7.857
"""Shape parameter of the Kaiser window: images and aliases are at -80 dB. Up to 0.92 of the lower Nyquist frequency
the gain is within 0.001 dB; at 0.975 of it the loss is 2 dB."""


class Resample(nn.Module):
    """Polyphase FIR resampler: every phase of the low-pass is one output channel of a convolution.

    Each block of `down` inputs gives `up` outputs. Output j is centred on input j * down / up, without delay. Samples
    beyond the ends are 0. From 16,000 to 22,050 Hz, 3 s take 0.6 ms in ONNX Runtime on one core.

    Args:
        source: sample rate of the input in Hz.
        target: sample rate of the output in Hz.

    Shape:
        - Input: samples [b, n].
        - Output: [b, ceil(n * target / source)].

    Reference:
        Crochiere and Rabiner, Multirate Digital Signal Processing, 1983, section 3.3; the window: Kaiser, 1974.
    """

    phases: Tensor

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        common = math.gcd(source, target)
        self.up, self.down = target // common, source // common
        self.reach = math.ceil(CROSSINGS * max(1.0, self.down / self.up))
        phases = _phases(self.up, self.down, self.reach)
        self.register_buffer("phases", torch.from_numpy(phases.astype(np.float32))[:, None], persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Resample samples [b, n]."""
        padded = functional.pad(samples, (self.reach, self.reach + self.down - 1))
        outputs = functional.conv1d(padded[:, None], self.phases, stride=self.down)
        length = (samples.shape[1] * self.up + self.down - 1) // self.down
        return outputs.transpose(1, 2).flatten(1)[:, :length]


def _phases(up: int, down: int, reach: int) -> Matrix:
    """Return the weights [up, down + 2 reach] of each output of a block, for inputs from `reach` before the block."""
    centre = np.arange(up)[:, None] * down / up
    offset = np.arange(-reach, down + reach)[None, :] - centre
    cutoff = min(1.0, up / down)
    window = np.i0(BETA * np.sqrt(np.clip(1 - (offset * cutoff / CROSSINGS) ** 2, 0, None)))
    taps = np.where(np.abs(offset) * cutoff < CROSSINGS, np.sinc(offset * cutoff) * window, 0.0)
    return np.asarray(taps / taps.sum(1, keepdims=True), np.float64)
