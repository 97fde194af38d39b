"""The network of the reference results, reproduced exactly for comparison."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from emovox.features.config import FeatureConfig
from emovox.features.spectrum import hann
from emovox.models.frame_inputs import cepstral_constants
from emovox.models.front_end.delta import Deltas
from emovox.models.front_end.dft import Blocks, PowerSpectrum
from emovox.models.front_end.mel import Cepstrum, LogMel
from emovox.models.front_end.resample import Resample
from emovox.models.masked import trainable
from emovox.models.network import Encoder

FRAMES = FeatureConfig(sample_rate=22050, n_fft=2048, hop=512, n_mels=128, n_mfcc=13, mel_fmax=11025.0)
"""Frame features with librosa's defaults."""

N_FRAMES = 128
"""Frames of a clip, 2.95 s: the dense layer needs this number."""

N_LOCAL = 30 * 128
"""Outputs of the convolutions: 128 frames give 126 after a convolution over 3, 63 after pooling, then 61 and 30."""


class ReferenceHybridConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="name", tag="reference-hybrid"
):
    """Configuration without options; the matching head is `HeadConfig(hidden=256, dropout_in=0, plain=True)`."""


class ReferenceCepstra(nn.Module):
    """Front end to 13 cepstra with first and second derivatives at 22,050 Hz, as in librosa, from 16 kHz.

    The reference implementations standardise by the training set; this module uses constants.

    Shape:
        - Input: samples [b, n].
        - Output: [b, 1 + ceil(n * 441 / 320) // 512, 39].
    """

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.resample = Resample(16000, FRAMES.sample_rate)
        self.power = PowerSpectrum(hann(FRAMES.n_fft).astype(float), n_fft=FRAMES.n_fft, hop=FRAMES.hop)
        self.blocks = Blocks(self.power.block, FRAMES.n_fft // 2)
        self.log_mel, self.cepstrum = LogMel(FRAMES), Cepstrum(FRAMES)
        self.deltas = Deltas(FRAMES.n_mfcc, FRAMES.delta_width)
        mean, scale = cepstral_constants(FRAMES.n_mels, FRAMES.n_mfcc)
        self.register_buffer("mean", mean[:, None], persistent=False)
        self.register_buffer("scale", scale[:, None], persistent=False)

    def cepstra(self, samples: Tensor) -> Tensor:
        """Return the cepstra of samples [b, n] before the constants, shape [b, 39, t]."""
        mfcc = self.cepstrum(self.log_mel(self.power(self.blocks(self.resample(samples)))))
        return torch.cat([mfcc, *self.deltas(mfcc)], 1)

    def forward(self, samples: Tensor) -> Tensor:
        """Return the cepstra of samples [b, n], shape [b, t, 39]."""
        return ((self.cepstra(samples) - self.mean) / self.scale).transpose(1, 2)


class ReferenceHybridEncoder(Encoder):
    """Encoder of 128 frames with two branches: two convolutions, flattened, and the last state of two LSTMs.

    A clip is cropped to its first 128 frames, or repeated up to 128. Convolutions are not padded ("valid", the default
    of Keras and PyTorch). With its head and eight classes the network has 1,170,184 parameters; 768 of them are the
    second bias of PyTorch's LSTMs. Padded ("same") it would have 1,235,720.

    Args:
        config: the configuration without options.

    Shape:
        - Input: samples [b, n] at 16 kHz.
        - Output: [b, 3904].
    """

    steps: Tensor

    def __init__(self, config: ReferenceHybridConfig) -> None:
        super().__init__()
        self.config, self.front_end = config, ReferenceCepstra()
        self.n_inputs, self.n_statistics = 3 * FRAMES.n_mfcc, N_LOCAL + 64
        self.first, self.second = nn.Conv1d(self.n_inputs, 64, 3), nn.Conv1d(64, 128, 3)
        self.lstm_first = nn.LSTM(self.n_inputs, 128, batch_first=True)
        self.lstm_second = nn.LSTM(128, 64, batch_first=True)
        self.register_buffer("steps", torch.arange(N_FRAMES), persistent=False)

    @property
    def inputs_key(self) -> str:
        """Key of the cepstra."""
        return f"reference cepstra {FRAMES}"

    def inputs(self, samples: Tensor) -> Tensor:
        """Return the cepstra of all frames of samples [b, n], shape [b, t, 39]."""
        cepstra: Tensor = self.front_end(samples)
        return cepstra

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the statistics of inputs [b, t, 39], shape [b, 3904]; padding comes after the clip."""
        frames = self.fit(inputs, mask)
        local = frames.transpose(1, 2)
        for layer in (self.first, self.second):
            local = torch.max_pool1d(torch.relu(layer(local)), 2)
        states = self.lstm_second(self.lstm_first(frames)[0])[0]
        return torch.cat([local.flatten(1), states[:, -1]], 1)

    def fit(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the first 128 frames of frames [b, t, c], shape [b, 128, c], with a shorter clip repeated."""
        if mask is None:
            return frames[:, self.steps % frames.shape[1]]
        index = self.steps % mask.sum(1, keepdim=True)
        return frames.gather(1, index[:, :, None].expand(-1, -1, frames.shape[2]))

    def depths(self) -> list[list[nn.Parameter]]:
        """Return the parameters of the first and of the second layer of both branches."""
        return [trainable(self.first, self.lstm_first), trainable(self.second, self.lstm_second)]
