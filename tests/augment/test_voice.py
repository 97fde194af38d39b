"""Another voice: pitch and formants by the factor, length and rhythm as they were."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.audio.types import Samples
from emovox.augment.config import Voice
from emovox.augment.voice import change_voice, random_voice, stretched
from emovox.testing import RATE, speech, tone
from tests.sounds import breathy, decibels, rms


def peak_hz(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**18))
    return float(spectrum.argmax() * RATE / 2**18)


def loudness(samples: Samples) -> Samples:
    """Level of every 50 ms."""
    return np.asarray(np.sqrt(np.square(samples).reshape(-1, 800).mean(1)), np.float32)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_pitch_and_formants_follow_the_factor_and_the_length_stays(factor: float) -> None:
    made = change_voice(tone(440), factor)
    assert made.shape == tone(440).shape
    assert peak_hz(made) == pytest.approx(440 * factor, abs=4)
    assert decibels(rms(made) / rms(tone(440))) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_the_rhythm_stays(factor: float) -> None:
    samples = speech(140.0, seconds=2.0, tempo=3.0, depth=1.0)
    made = change_voice(samples, factor)
    assert np.corrcoef(loudness(samples), loudness(made))[0, 1] > 0.97


def test_nothing_to_stretch_changes_nothing() -> None:
    np.testing.assert_allclose(stretched(breathy(), len(breathy())), breathy(), atol=1e-5)


def test_a_frame_continues_the_one_before() -> None:
    """Frames that do not fit would cancel each other: the level of a steady tone would swing."""
    made = stretched(tone(173, 1.0), round(1.3 * RATE))
    inner = np.abs(made[1600:-1600]).reshape(-1, 200).max(1)
    assert inner.min() > 0.9 * inner.max()


@pytest.mark.parametrize("n", [1, 2, 100, 4799])
def test_short_clips_keep_their_length(n: int) -> None:
    for factor in (0.5, 2.0):
        made = change_voice(breathy()[:n], factor)
        assert made.shape == (n,)
        assert np.isfinite(made).all()


def test_random_factors_stay_in_their_range() -> None:
    made = [peak_hz(random_voice(tone(440, 0.5), Voice(), np.random.default_rng(seed))) / 440 for seed in range(40)]
    assert 0.84 < min(made) < 0.89
    assert 1.13 < max(made) < 1.19
