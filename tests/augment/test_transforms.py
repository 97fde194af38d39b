"""Speed, shift, room, noise, gain: each changes what it says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.audio.types import Samples
from emovox.augment.bounds import SHORTEST, bounded, fitted, levelled
from emovox.augment.config import Gain, Noise, Room, Shift, Speed
from emovox.augment.noise import at_snr, random_noise
from emovox.augment.room import in_room, random_room
from emovox.augment.transforms import (
    change_gain,
    change_speed,
    random_gain,
    random_shift,
    random_speed,
    shift,
)
from emovox.testing import RATE, tone
from tests.sounds import breathy, decibels, hiss, level_between, rms

DB = 0.01
"""Levels are restored by one factor; float32."""


def peak_hz(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**18))
    return float(spectrum.argmax() * RATE / 2**18)


@pytest.mark.parametrize("factor", [0.9, 1.0731, 1.1])
def test_speed_changes_length_and_pitch_by_the_factor(factor: float) -> None:
    made = change_speed(tone(440), factor)
    assert len(made) == pytest.approx(RATE / factor, abs=1)
    assert peak_hz(made) == pytest.approx(440 * factor, abs=0.5)
    assert decibels(rms(made) / rms(tone(440))) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("n", [SHORTEST, SHORTEST + 100, 8000])
def test_speed_leaves_at_least_the_shortest_clip(n: int) -> None:
    lengths = [len(random_speed(breathy()[:n], Speed(), np.random.default_rng(seed))) for seed in range(40)]
    assert min(lengths) >= SHORTEST
    assert len(set(lengths)) > 10  # slower ones still occur


def test_shift_adds_the_noise_floor_and_cuts() -> None:
    samples = np.concatenate([hiss(0.1, level=0.001), breathy()])
    made = shift(samples, start=800, end=-1600, rng=np.random.default_rng(0))
    assert len(made) == len(samples) + 800 - 1600
    np.testing.assert_array_equal(made[800:], samples[:-1600])
    assert decibels(rms(made[:800]) / 0.001) == pytest.approx(0, abs=2)  # the quietest of five frames


def test_shift_never_cuts_below_the_shortest_clip() -> None:
    lengths = [len(random_shift(breathy(0.35), Shift(seconds=0.3), np.random.default_rng(k))) for k in range(40)]
    assert min(lengths) == SHORTEST
    assert max(lengths) > 0.5 * RATE


def test_shift_of_a_clip_that_is_too_short_already_only_adds() -> None:
    assert len(shift(breathy(0.1), start=-100, end=50, rng=np.random.default_rng(0))) == 1650


def response(delay: int = 200) -> Samples:
    """A direct sound after `delay` samples, an echo 50 ms later, and a decaying tail; very loud."""
    tail = 0.1 * hiss(0.3) * np.exp(-np.arange(4800) / 800)
    tail[0], tail[800] = 5, 2
    return np.concatenate([np.zeros(delay), tail]).astype(np.float32)


def test_a_room_keeps_onset_length_and_level() -> None:
    samples = np.concatenate([np.zeros(4000, np.float32), breathy(1.0, level=0.02)])
    made = in_room(samples, response())
    assert made.shape == samples.shape
    assert np.abs(made[:3999]).max() < 1e-6 < np.abs(made[4000:4100]).max()
    assert decibels(rms(made) / rms(samples)) == pytest.approx(0, abs=DB)
    assert np.argmax(np.correlate(made, samples[2000:-2000])) == 2000


def test_a_room_adds_its_echo() -> None:
    click = np.zeros(4800, np.float32)
    click[100] = 0.1
    made = in_room(click, response())
    assert made[900] / made[100] == pytest.approx(0.4, abs=1e-4)


def test_a_response_longer_than_the_clip_is_no_trouble() -> None:
    assert in_room(breathy(0.3), np.tile(response(), 10)).shape == (SHORTEST,)


def test_the_share_of_measured_rooms() -> None:
    samples, measured, simulated = breathy(0.3), [np.array([1.0], np.float32)], [response()]
    for share, changed in ((0.0, 40), (1.0, 0), (0.5, 20)):
        config = Room(measured=share)
        made = [
            random_room(samples, config, measured=measured, simulated=simulated, rng=np.random.default_rng(seed))
            for seed in range(40)
        ]
        assert sum(rms(one - samples) > 1e-3 for one in made) == pytest.approx(changed, abs=10 * (share == 0.5))


@given(snr=st.floats(-10, 40), seconds=st.floats(0.01, 3), level=st.floats(0.001, 0.5))
@settings(max_examples=40, deadline=None)
def test_the_ratio_is_the_one_asked_for(snr: float, seconds: float, level: float) -> None:
    samples, noise = breathy(1.0, level=level), hiss(seconds)
    made = at_snr(samples, noise, snr)
    assert np.abs(made).max() <= 1
    behind = np.resize(noise, len(samples)).astype(np.float64)
    basis = np.stack([samples.astype(np.float64), behind], axis=1)
    (kept, added), *_ = np.linalg.lstsq(basis, made, rcond=None)
    assert decibels(kept * rms(samples) / (added * rms(behind.astype(np.float32)))) == pytest.approx(snr, abs=0.05)
    assert kept == pytest.approx(1, abs=1e-3) or np.abs(made).max() == pytest.approx(1)


def test_random_noise_draws_ratio_noise_and_place() -> None:
    noises, config = [hiss(0.5, seed=3), tone(3000, 4.0)], Noise(snr_low=10, snr_high=20)
    added = [
        random_noise(breathy(0.5), config, noises=noises, rng=np.random.default_rng(seed)) - breathy(0.5)
        for seed in range(30)
    ]
    ratios = [decibels(0.1 / rms(one)) for one in added]
    assert 10 - 0.1 < min(ratios) < 12
    assert 18 < max(ratios) < 20 + 0.1
    assert {level_between(one, 2900, 3100) > 10 * level_between(one, 5000, 6000) for one in added} == {True, False}
    assert len({float(one[0]) for one in added}) == 30


@pytest.mark.parametrize(("db", "factor"), [(-12, 0.2512), (0, 1.0), (6, 1.9953)])
def test_gain(db: float, factor: float) -> None:
    np.testing.assert_allclose(change_gain(tone(100, level=0.3), db), tone(100, level=0.3) * factor, rtol=1e-3)


def test_gain_stops_at_full_scale_without_clipping() -> None:
    loud = tone(100, level=0.8)
    np.testing.assert_allclose(change_gain(loud, 12), loud / np.abs(loud).max(), rtol=1e-5)


def test_random_gain_stays_in_its_range() -> None:
    gains = [
        decibels(
            rms(random_gain(tone(500, level=0.01), Gain(), np.random.default_rng(seed))) / rms(tone(500, level=0.01))
        )
        for seed in range(60)
    ]
    assert -12 <= min(gains) < -10
    assert 4 < max(gains) <= 6 + DB


def test_bounds() -> None:
    within = breathy()
    assert bounded(within) is within
    assert np.abs(bounded(40 * within)).max() == 1
    assert fitted(within, 10).shape == (10,)
    assert fitted(within[:5], 7).tolist() == [*within[:5].tolist(), 0, 0]
    assert rms(levelled(hiss(), within)) == pytest.approx(rms(within), rel=1e-4)
    assert not levelled(np.zeros(9, np.float32), within).any()
