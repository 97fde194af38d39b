"""Sounds made by formula, and librosa's features with our parameters."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt
import pytest

from emovox.features.config import FeatureConfig
from emovox.features.speech_like import speech_like

Reference = dict[str, npt.NDArray[Any]]


def _impulse(n: int) -> npt.NDArray[np.float64]:
    sound = np.zeros(n)
    sound[n // 2] = 1.0
    return sound


def _sounds() -> dict[str, npt.NDArray[np.float64]]:
    rng = np.random.default_rng(7)
    time = np.arange(12000) / 16000
    speech = speech_like(2.0).astype(np.float64)
    return {
        "speech_like": speech,
        "quiet": 1e-3 * speech,
        "noise": 0.1 * rng.standard_normal(12000),
        "sine": np.sin(2 * np.pi * 220 * time),
        "vibrato": 0.5 * np.sin(2 * np.pi * 150 * time + 8 * np.sin(2 * np.pi * 5 * time)),
        "square": np.where(np.sin(2 * np.pi * 200 * time + 0.1) > 0, 1.0, -1.0),
        "dc": np.full(8000, 0.5),
        "zeros": np.zeros(5000),
        "impulse": _impulse(8000),
        "ramp": np.linspace(-1, 1, 6000),
        "one_sample": np.ones(1),
        "short_of_a_frame": 0.3 * np.sin(np.arange(300) / 9),
        "seven_frames": 0.3 * np.sin(np.arange(1000) / 9),
        "silence_then_noise": np.concatenate([np.zeros(6000), 0.2 * rng.standard_normal(3000)]),
    }


SOUNDS = {name: sound.astype(np.float32) for name, sound in _sounds().items()}


@pytest.fixture(params=sorted(SOUNDS))
def sound(request: pytest.FixtureRequest) -> npt.NDArray[np.float32]:
    """One of the sounds [n] float32 at 16 kHz, read-only."""
    samples = SOUNDS[request.param].copy()
    samples.flags.writeable = False
    return samples


@pytest.fixture(scope="session")
def librosa_features() -> Callable[[npt.NDArray[np.float32], FeatureConfig], Reference]:
    """Compute every feature with librosa; deltas only from 9 frames on, below which librosa refuses."""
    return _reference


def _reference(samples: npt.NDArray[np.float32], config: FeatureConfig) -> Reference:
    rate = config.sample_rate
    frame: dict[str, Any] = {"frame_length": config.n_fft, "hop_length": config.hop}
    stft: dict[str, Any] = {"n_fft": config.n_fft, "hop_length": config.hop}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns when the audio is shorter than a frame
        mel: dict[str, Any] = {"n_mels": config.n_mels, "fmin": config.mel_fmin, "fmax": config.mel_fmax}
        power = librosa.feature.melspectrogram(y=samples, sr=rate, **stft, **mel)
        magnitude = np.abs(librosa.stft(samples, **stft))
    bands = librosa.power_to_db(power, top_db=config.top_db)
    cepstrum = librosa.feature.mfcc(S=bands, n_mfcc=config.n_mfcc)
    result = {
        "mfcc": cepstrum.T,
        "log_mel": bands.T,
        "rms": librosa.feature.rms(y=samples, **frame)[0],
        "zcr": librosa.feature.zero_crossing_rate(samples, **frame)[0],
        "centroid": librosa.feature.spectral_centroid(S=magnitude, sr=rate, n_fft=config.n_fft)[0],
        "rolloff": librosa.feature.spectral_rolloff(
            S=magnitude, sr=rate, n_fft=config.n_fft, roll_percent=config.rolloff
        )[0],
        "f0": librosa.yin(
            samples,
            sr=rate,
            fmin=config.f0_fmin,
            fmax=config.f0_fmax,
            frame_length=config.f0_length,
            hop_length=config.hop,
            trough_threshold=config.f0_threshold,
        ),
    }
    if cepstrum.shape[1] >= config.delta_width:
        for name, order in (("delta", 1), ("delta2", 2)):
            result[name] = librosa.feature.delta(cepstrum, width=config.delta_width, order=order).T
    return result
