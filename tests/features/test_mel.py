from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.fft
from hypothesis import given
from hypothesis import strategies as st

from emovox.features.config import FeatureConfig
from emovox.features.mel import dct_matrix, hz_to_mel, mel_filters, mel_power, mel_to_hz, power_to_db

ROUNDING = 1e-6


@given(st.floats(0, 24000))
def test_mel_scale_is_slaney_s_and_goes_both_ways(hz: float) -> None:
    assert hz_to_mel(hz) == pytest.approx(librosa.hz_to_mel(hz), rel=ROUNDING)
    assert mel_to_hz(hz_to_mel(hz)) == pytest.approx(hz, rel=ROUNDING, abs=ROUNDING)


@pytest.mark.parametrize(
    "config",
    [
        FeatureConfig(),
        FeatureConfig(n_fft=1024, n_mels=128, mel_fmin=30, mel_fmax=7600),
        FeatureConfig(sample_rate=44100, n_fft=2048, mel_fmax=22050),
    ],
)
def test_filters_are_librosa_s(config: FeatureConfig) -> None:
    expected = librosa.filters.mel(
        sr=config.sample_rate, n_fft=config.n_fft, n_mels=config.n_mels, fmin=config.mel_fmin, fmax=config.mel_fmax
    )
    np.testing.assert_allclose(mel_filters(config), expected, atol=1e-8)


def test_mel_power_is_the_product_with_the_filters_even_where_some_are_empty() -> None:
    config = FeatureConfig(n_fft=256, n_mels=128)
    power = np.random.default_rng(0).random((5, 129)).astype(np.float32)
    filters = mel_filters(config)
    assert not filters.any(axis=1).all(), "this configuration should have filters between two bins"
    np.testing.assert_allclose(mel_power(power, config), power @ filters.T, rtol=1e-5)


def test_decibels_are_librosa_s() -> None:
    power = 10 ** np.random.default_rng(1).uniform(-14, 4, (40, 8)).astype(np.float32)
    np.testing.assert_allclose(power_to_db(power), librosa.power_to_db(power), atol=1e-4)
    np.testing.assert_allclose(power_to_db(power, top_db=None), librosa.power_to_db(power, top_db=None), atol=1e-4)


def test_silence_is_the_floor() -> None:
    np.testing.assert_allclose(power_to_db(np.zeros((3, 4), np.float32)), -100.0, atol=1e-4)


def test_dct_is_scipy_s_orthonormal_type_2() -> None:
    bands = np.random.default_rng(2).standard_normal((7, 64)).astype(np.float32)
    expected = scipy.fft.dct(bands, type=2, norm="ortho", axis=1)[:, :13]
    np.testing.assert_allclose(bands @ dct_matrix(64, 13), expected, atol=1e-5)


def test_cached_matrices_cannot_be_changed() -> None:
    for matrix in (mel_filters(FeatureConfig()), dct_matrix(64, 13)):
        with pytest.raises(ValueError, match="read-only"):
            matrix[0, 0] = 1
