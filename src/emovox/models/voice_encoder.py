"""The GE2E speaker encoder as published: from the waveform to the embedding of a voice."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from emovox.models.ge2e import N_LAYERS, WIDTH, Ge2eLayers, MelPower, load_ge2e
from emovox.models.weights import fill

SMALLEST_NORM = 1e-6
"""Lower limit of the norm that divides an embedding: silence gives zeros, not NaN."""


class VoiceEncoder(nn.Module):
    """Encoder from a waveform to a unit vector; two vectors of one voice have a high dot product.

    The vector is made from the last frame of the last LSTM layer. The encoder was trained on windows of 1.6 s.

    Args:
        lstm: the three layers.

    Shape:
        - Input: samples [b, n] at 16 kHz, in [-1, 1].
        - Output: [b, 256], non-negative, of norm 1.

    Reference:
        Wan, Wang, Papir and Lopez Moreno, "Generalized End-to-End Loss for Speaker Verification", 2018.
    """

    def __init__(self, lstm: Ge2eLayers) -> None:
        super().__init__()
        self.front_end, self.lstm = MelPower(), lstm
        self.project = nn.Linear(WIDTH, WIDTH)

    def forward(self, samples: Tensor) -> Tensor:
        """Return the embeddings of samples [b, n], shape [b, 256]."""
        last = self.lstm.run(self.front_end(samples), 0, N_LAYERS)[-1][:, -1]
        voice = functional.relu(self.project(last))
        unit: Tensor = voice / torch.linalg.vector_norm(voice, dim=1, keepdim=True).clamp_min(SMALLEST_NORM)
        return unit


def load_voice_encoder(source: str | Path) -> VoiceEncoder:
    """Load the encoder from a folder with model.safetensors, a folder below $EMOVOX_WEIGHTS, or the hub.

    Raises:
        WeightsError: the weights are not found, or are not those of this encoder.
    """
    encoder = VoiceEncoder(load_ge2e(source))
    fill(encoder.project, source, {name: f"linear.{name}" for name in encoder.project.state_dict()})
    return encoder.eval()
