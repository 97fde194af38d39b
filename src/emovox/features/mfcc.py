"""Log-mel spectrogram and mel-frequency cepstral coefficients."""

from __future__ import annotations

from emovox.audio.types import Samples
from emovox.features.config import FeatureConfig
from emovox.features.mel import dct_matrix, mel_power, power_to_db
from emovox.features.spectrum import Frames, power_spectrum

DEFAULT = FeatureConfig()
"""Default parameters: 32 ms frames every 10 ms at 16 kHz, 64 mel bands, 13 coefficients."""


def log_mel(samples: Samples, config: FeatureConfig = DEFAULT) -> Frames:
    """Compute the mel power spectrogram in dB, clipped at `top_db` below its loudest value.

    Args:
        samples: shape [n], float32 at `config.sample_rate`.
        config: transform, mel bands and `top_db`.

    Returns:
        Shape [t, n_mels], float32 in dB re 1, t = 1 + n // hop.

    Raises:
        AudioError: `samples` is not one channel of finite numbers (see `signal.mono`).
    """
    return log_mel_of(power_spectrum(samples, n_fft=config.n_fft, hop=config.hop), config)


def log_mel_of(power: Frames, config: FeatureConfig = DEFAULT) -> Frames:
    """Compute log-mel in dB, shape [t, n_mels], from a power spectrum of shape [t, 1 + n_fft // 2]."""
    return power_to_db(mel_power(power, config), top_db=config.top_db)


def mfcc(samples: Samples, config: FeatureConfig = DEFAULT) -> Frames:
    """Compute the first `n_mfcc` cepstral coefficients: the orthonormal DCT-II of log-mel, as librosa.feature.mfcc.

    Args:
        samples: shape [n], float32 at `config.sample_rate`.
        config: transform, mel bands and `n_mfcc`.

    Returns:
        Shape [t, n_mfcc], float32; column 0 is proportional to the mean level in dB.

    Raises:
        AudioError: `samples` is not one channel of finite numbers (see `signal.mono`).

    Reference:
        Davis and Mermelstein, IEEE Trans. ASSP 28 (1980); here with Slaney's filters, and decibels instead of natural
        logarithms.
    """
    return mfcc_of(log_mel(samples, config), config)


def mfcc_of(bands: Frames, config: FeatureConfig = DEFAULT) -> Frames:
    """Compute MFCC, shape [t, n_mfcc], from log-mel in dB, shape [t, n_mels]."""
    return bands @ dct_matrix(config.n_mels, config.n_mfcc)
