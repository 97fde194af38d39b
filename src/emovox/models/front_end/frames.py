"""Compute all frame features of a batch of recordings in one module that exports to ONNX."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from emovox.features.config import FeatureConfig
from emovox.features.decimate import half_rate
from emovox.features.spectrum import hann
from emovox.models.front_end.delta import Deltas
from emovox.models.front_end.dft import Blocks, PowerSpectrum
from emovox.models.front_end.energy import Rms, ZeroCrossingRate
from emovox.models.front_end.mel import Cepstrum, LogMel
from emovox.models.front_end.pitch import Decimator, Yin
from emovox.models.front_end.spectral import SpectralShape
from emovox.schema.errors import AudioError


class FrameTensors(NamedTuple):
    """Features of t = 1 + n // hop frames; frame i is centred on sample i * hop. F0 has t2 = 1 + n // (2 * hop) frames.

    Attributes:
        mfcc: [b, t, n_mfcc] cepstral coefficients of the log-mel spectrogram.
        delta: [b, t, n_mfcc] first derivative of `mfcc`, per frame.
        delta2: [b, t, n_mfcc] second derivative of `mfcc`, per frame².
        log_mel: [b, t, n_mels] in dB, clipped at `top_db` below the loudest value of the recording.
        rms: [b, t] root mean square of `n_fft` samples.
        zcr: [b, t] zero crossings per sample, over `n_fft` samples.
        centroid: [b, t] in Hz.
        rolloff: [b, t] in Hz.
        f0: [b, t2] in Hz, an estimate for every frame; frame i is centred on sample 2 * i * hop.
        voiced: [b, t2] 1 if the frame is voiced, else 0.
    """

    mfcc: Tensor
    delta: Tensor
    delta2: Tensor
    log_mel: Tensor
    rms: Tensor
    zcr: Tensor
    centroid: Tensor
    rolloff: Tensor
    f0: Tensor
    voiced: Tensor


class FrameFrontEnd(nn.Module):
    """Front end from the waveform to frame features: the values of `features.frame_features`, F0 at half the rate.

    It has no parameters and no state: every buffer follows from the configuration. Roll-off, zero-crossing rate and
    voicing have no gradient; F0 has only that of its interpolation. An unused output costs nothing in an exported
    graph.

    Args:
        config: frame features; F0 uses `half_rate(config)`.
    """

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.shortest = (config.delta_width - 1) * config.hop
        self.power = PowerSpectrum(hann(config.n_fft).astype(float), n_fft=config.n_fft, hop=config.hop)
        frames = {"block": self.power.block, "length": config.n_fft, "hop": config.hop}
        self.blocks = Blocks(self.power.block, config.n_fft // 2)
        self.log_mel = LogMel(config)
        self.mfcc = Cepstrum(config)
        self.deltas = Deltas(config.n_mfcc, config.delta_width)
        self.rms = Rms(**frames)
        self.zcr = ZeroCrossingRate(**frames)
        self.spectral = SpectralShape(config)
        self.decimator = Decimator()
        self.yin = Yin(half_rate(config))

    def forward(self, samples: Tensor) -> FrameTensors:
        """Compute all features.

        Args:
            samples: [b, n] float32 in [-1, 1] at the rate of the configuration, n >= `shortest` (80 ms by default).

        Returns:
            The features; time is the second axis.

        Raises:
            AudioError: there are not two axes, or fewer samples than a derivative needs (not checked in export).
        """
        frames = self.time_last(samples)
        turned = {name: getattr(frames, name).transpose(1, 2) for name in ("mfcc", "delta", "delta2", "log_mel")}
        return frames._replace(**turned)

    def time_last(self, samples: Tensor) -> FrameTensors:
        """Compute all features as `forward`, but with time as the last axis: shapes [b, n_mfcc, t], [b, n_mels, t]."""
        self._check(samples)
        blocks = self.blocks(samples)
        power = self.power(blocks)
        log_mel = self.log_mel(power)
        mfcc = self.mfcc(log_mel)
        delta, delta2 = self.deltas(mfcc)
        centroid, rolloff = self.spectral(power)
        f0, voiced = self.yin(self.decimator(samples))
        return FrameTensors(
            mfcc=mfcc,
            delta=delta,
            delta2=delta2,
            log_mel=log_mel,
            rms=self.rms(blocks),
            zcr=self.zcr(samples),
            centroid=centroid,
            rolloff=rolloff,
            f0=f0,
            voiced=voiced,
        )

    def _check(self, samples: Tensor) -> None:
        if torch.onnx.is_in_onnx_export() or torch.compiler.is_compiling():
            return
        if samples.ndim != 2 or samples.shape[-1] < self.shortest:
            raise AudioError(
                f"got samples of shape {tuple(samples.shape)}, expected [batch, n] with n >= {self.shortest}; "
                "mix to mono, and skip shorter recordings"
            )
