from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from emovox.features.config import FeatureConfig
from emovox.features.decimate import N_TAPS, decimate, half_rate, taps

PASS_DB, STOP_DB = 0.1, -45.0
"""Ripple up to 3.2 kHz and attenuation from 4 kHz on; measured 0.04 and -46 dB."""


@pytest.mark.parametrize("n", [0, 1, 2, 63, 64, 65, 1000, 4801])
def test_decimate_equals_a_filter_from_scipy(n: int) -> None:
    samples = np.random.default_rng(n).normal(0, 0.1, n).astype(np.float32)
    padded = np.pad(samples, N_TAPS // 2)
    expected = scipy.signal.convolve(padded.astype(float), taps().astype(float), "valid")[:n][: 2 * (n // 2) : 2]
    found = decimate(samples)
    assert found.dtype == np.float32
    assert found.shape == (n // 2,)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_channels_are_filtered_separately() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (3, 777)).astype(np.float32)
    before = samples.copy()
    np.testing.assert_allclose(decimate(samples), np.stack([decimate(row) for row in samples]), atol=1e-7)
    np.testing.assert_array_equal(samples, before)


def test_response_passes_the_voice_and_stops_what_would_fold_back() -> None:
    hz, response = scipy.signal.freqz(taps(), worN=4096, fs=16000)
    decibels = 20 * np.log10(np.abs(response) + 1e-12)
    assert np.abs(decibels[hz <= 3200]).max() < PASS_DB
    assert decibels[hz >= 4000].max() < STOP_DB


def test_output_is_aligned_with_the_input() -> None:
    samples = np.zeros(400, np.float32)
    samples[200] = 1.0
    assert int(np.argmax(decimate(samples))) == 100


def test_half_rate_keeps_the_frame_in_seconds() -> None:
    config = FeatureConfig()
    half = half_rate(config)
    assert half.f0_length / half.sample_rate == config.f0_length / config.sample_rate
    assert (half.f0_fmin, half.f0_fmax, half.f0_threshold) == (config.f0_fmin, config.f0_fmax, config.f0_threshold)
    assert half.mel_fmax == half.sample_rate / 2
