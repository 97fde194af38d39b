from __future__ import annotations

import numpy as np
import pytest

from emovox.features.energy import rms, zero_crossing_rate
from emovox.features.spectral import centroid, rolloff
from emovox.features.spectrum import bin_frequencies, hann, power_spectrum

TIME = np.arange(16000) / 16000


def test_rms_of_a_sine_is_its_amplitude_over_root_two() -> None:
    sine = (0.4 * np.sin(2 * np.pi * 250 * TIME)).astype(np.float32)
    np.testing.assert_allclose(rms(sine)[2:-2], 0.4 / np.sqrt(2), rtol=1e-3)


def test_a_quiet_frame_after_a_loud_one_keeps_its_precision() -> None:
    samples = np.concatenate([np.ones(16000), np.full(4000, 1e-5)]).astype(np.float32)
    assert rms(samples)[-4] == pytest.approx(1e-5, rel=1e-5)


def test_the_ends_are_half_a_frame_of_zeros() -> None:
    assert rms(np.ones(1600, np.float32))[0] == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize("frequency", [100, 1000, 3000])
def test_zero_crossing_rate_counts_two_a_period(frequency: int) -> None:
    sine = np.sin(2 * np.pi * frequency * TIME + 0.3).astype(np.float32)
    np.testing.assert_allclose(zero_crossing_rate(sine)[2:-2], 2 * frequency / 16000, atol=2 / 512)


def test_digital_zeros_and_their_sign_are_no_crossings() -> None:
    samples = np.tile(np.array([0.0, -0.0, 1e-11, -1e-11], np.float32), 500)
    assert not zero_crossing_rate(samples).any()


def test_centroid_and_rolloff_of_a_sine_lie_at_its_frequency() -> None:
    power = power_spectrum(np.sin(2 * np.pi * 2000 * TIME).astype(np.float32))[3:-3]
    frequencies = bin_frequencies(sample_rate=16000, n_fft=512)
    np.testing.assert_allclose(centroid(power, frequencies), 2000, atol=5)
    np.testing.assert_allclose(rolloff(power, frequencies), 2000, atol=32)


def test_centroid_and_rolloff_of_silence_are_zero() -> None:
    power, frequencies = np.zeros((4, 257), np.float32), bin_frequencies(sample_rate=16000, n_fft=512)
    assert not centroid(power, frequencies).any()
    assert not rolloff(power, frequencies).any()


def test_rolloff_rises_with_the_share() -> None:
    power = np.ones((1, 100), np.float32)
    shares = [rolloff(power, np.arange(100.0), share=share)[0] for share in (0.01, 0.5, 0.855, 0.999)]
    assert shares == [0, 49, 85, 99]


def test_power_keeps_the_energy() -> None:
    samples = np.random.default_rng(0).standard_normal(512).astype(np.float32)
    power = power_spectrum(samples, n_fft=512, hop=256)[1]
    twosided = power[0] + power[-1] + 2 * power[1:-1].sum()
    assert twosided / 512 == pytest.approx(np.sum((samples * hann(512)) ** 2), rel=1e-5)


def test_blocks_of_frames_leave_no_seam() -> None:
    samples = np.random.default_rng(1).standard_normal(160 * 130).astype(np.float32)
    power = power_spectrum(samples)
    for t in (63, 64, 127, 128):
        frame = np.pad(samples, 256)[t * 160 : t * 160 + 512].astype(np.float64) * hann(512)
        np.testing.assert_allclose(power[t], np.abs(np.fft.rfft(frame)) ** 2, rtol=1e-3, atol=1e-3)
