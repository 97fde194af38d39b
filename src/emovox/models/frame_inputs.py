"""Frame features for the small networks, concatenated and scaled to about unit variance."""

from __future__ import annotations

import math

import msgspec
import torch
from torch import Tensor, nn

from emovox.features.config import FeatureConfig
from emovox.models.front_end.frames import FrameFrontEnd, FrameTensors
from emovox.models.network import Encoder
from emovox.schema.errors import ConfigError

VERSION = 1
"""Version of the values: it rises when the same configuration gives other values, so that caches are not mixed."""

# Mean and deviation of five corpora of acted speech, rounded. They are constants, so a loud clip stays louder.
MEAN_DB, SCALE_DB = -45.0, 20.0
MEAN_LEVEL_DB, FAINTEST = -40.0, 1e-5
MIDDLE_HZ, SEMITONES = 200.0, 6.0
DELTA_SHARE, DELTA2_SHARE = 0.1, 0.05


class FrameInputsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Choice of the frame features.

    For 3 s in ONNX Runtime on one core, the spectral features take 0.6 ms together and F0 takes 0.9 ms. A hop of 320
    reduces both to six tenths.

    Attributes:
        log_mel: whether to take the log-mel spectrum: `n_mels` channels.
        mfcc: whether to take 13 cepstral coefficients with first and second derivatives: 39 channels.
        f0: whether to take F0 and voicing: two channels.
        level: whether to take the level: one channel.
        n_mels: number of mel bands, >= 13.
        hop: step between frames in samples at 16 kHz, even, 2 to 512.

    Raises:
        ConfigError: there is no feature, the hop is odd, or hop or number of bands are out of range.
    """

    log_mel: bool = True
    mfcc: bool = True
    f0: bool = True
    level: bool = True
    n_mels: int = 64
    hop: int = 160

    def __post_init__(self) -> None:
        """Raise an error for values for which there are no features."""
        if not (self.log_mel or self.mfcc or self.f0 or self.level):
            raise ConfigError("got no frame feature, expected at least one of log_mel, mfcc, f0, level to be true")
        if self.hop % 2:
            raise ConfigError(f"got a hop of {self.hop} samples, expected an even number: F0 has half the frame rate")
        self.features()

    def features(self) -> FeatureConfig:
        """Return the parameters of the front end."""
        return FeatureConfig(n_mels=self.n_mels, hop=self.hop)


class FrameInputs(nn.Module):
    """Front end of a small network: waveform to concatenated frame features.

    Nothing is learnt: each feature is shifted and scaled by constants. F0 has half the frame rate, so each value is
    used for two frames. In unvoiced frames F0 is 0, the value of 200 Hz.

    Args:
        config: choice of the features.

    Shape:
        - Input: samples [b, n] at 16 kHz.
        - Output: [b, 1 + n // hop, n_channels].
    """

    cepstral_mean: Tensor
    cepstral_scale: Tensor

    def __init__(self, config: FrameInputsConfig) -> None:
        super().__init__()
        self.config = config
        features = config.features()
        self.front_end = FrameFrontEnd(features)
        self.n_channels = (
            config.log_mel * config.n_mels + config.mfcc * 3 * features.n_mfcc + 2 * config.f0 + config.level
        )
        mean, scale = cepstral_constants(features.n_mels, features.n_mfcc)
        self.register_buffer("cepstral_mean", mean[:, None], persistent=False)
        self.register_buffer("cepstral_scale", scale[:, None], persistent=False)

    @property
    def key(self) -> str:
        """Name of the features in the keys of caches."""
        return f"frame inputs {VERSION} {self.config}"

    def forward(self, samples: Tensor) -> Tensor:
        """Compute the features of samples [b, n]."""
        frames: FrameTensors = self.front_end.time_last(samples)
        parts = []
        if self.config.log_mel:
            parts.append((frames.log_mel - MEAN_DB) / SCALE_DB)
        if self.config.mfcc:
            values = torch.cat([frames.mfcc, frames.delta, frames.delta2], 1)
            parts.append((values - self.cepstral_mean) / self.cepstral_scale)
        if self.config.f0:
            parts.append(_pitch(frames)[:, :, : frames.log_mel.shape[2]])
        if self.config.level:
            decibels = (frames.rms + FAINTEST).log() * (20 / math.log(10))
            parts.append((decibels[:, None] - MEAN_LEVEL_DB) / SCALE_DB)
        return torch.cat(parts, 1).transpose(1, 2)


class FrameEncoder(Encoder):
    """Base of the small networks, whose `inputs` are frame features; a subclass adds `n_statistics` and `pool`.

    Args:
        frames: choice of the features.
    """

    def __init__(self, frames: FrameInputsConfig) -> None:
        super().__init__()
        self.front_end = FrameInputs(frames)
        self.n_inputs = self.front_end.n_channels

    @property
    def inputs_key(self) -> str:
        """Key of the frame features."""
        return self.front_end.key

    def inputs(self, samples: Tensor) -> Tensor:
        """Return the frame features of samples [b, n], shape [b, t, c]."""
        frames: Tensor = self.front_end(samples)
        return frames


def cepstral_constants(n_mels: int, n_mfcc: int) -> tuple[Tensor, Tensor]:
    """Return the approximate mean and deviation of cepstra and their two derivatives in speech.

    Args:
        n_mels: number of mel bands; the orthonormal transform of a constant grows with its root.
        n_mfcc: number of coefficients.

    Returns:
        Mean and scale, both of shape [3 n_mfcc]: coefficients, first and second derivatives.

    >>> mean, scale = cepstral_constants(64, 13)
    >>> mean[:2].tolist(), scale[[0, 13, 26]].tolist()
    ([-360.0, 0.0], [160.0, 16.0, 8.0])
    """
    root = math.sqrt(n_mels)
    mean = torch.zeros(3 * n_mfcc)
    mean[0] = MEAN_DB * root
    scale = SCALE_DB * root / (1 + 1.5 * torch.arange(n_mfcc))
    return mean, torch.cat([scale, DELTA_SHARE * scale, DELTA2_SHARE * scale])


def _pitch(frames: FrameTensors) -> Tensor:
    """Return F0 relative to 200 Hz, in half octaves, and voicing: shape [b, 2, 2 t2]."""
    height = frames.voiced * (frames.f0 / MIDDLE_HZ).log() * (12 / math.log(2) / SEMITONES)
    values = torch.stack([height, frames.voiced], 1)
    return torch.stack([values, values], 3).flatten(2)
