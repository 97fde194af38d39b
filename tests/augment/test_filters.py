"""Tilt, slope and low cut: each changes the frequencies that it names, and keeps the level where it says so."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from emovox.audio.types import Samples
from emovox.augment.config import LowCut, Slope, Tilt
from emovox.augment.filters import PIVOT, low_cut, random_low_cut, random_slope, random_tilt, slope, tilt
from emovox.testing import RATE
from tests.sounds import breathy, decibels, rms

DB = 0.01
"""Levels are restored by one factor; float32."""

SHELF_DB = 0.3
"""A shelf reaches its ends at 0 Hz and at infinity; measured 100 Hz away from the band's ends."""


def click() -> Samples:
    made = np.zeros(RATE, np.float32)
    made[100] = 0.5
    return made


def levels(samples: Samples, *hz: int) -> list[float]:
    """Level in dB at frequencies; one second, so that bins are 1 Hz apart."""
    spectrum: npt.NDArray[np.float64] = np.abs(np.fft.rfft(samples.astype(np.float64)))
    return [decibels(float(spectrum[one])) for one in hz]


@pytest.mark.parametrize("db", [-6.0, 3.0, 12.0])
def test_tilt_raises_the_highs_against_the_lows_and_keeps_the_level(db: float) -> None:
    made = tilt(click(), db)
    low, middle, high = levels(made, 20, round(PIVOT), 7900)
    assert high - low == pytest.approx(db, abs=SHELF_DB)
    assert middle - low == pytest.approx(db / 2, abs=SHELF_DB)
    assert decibels(rms(made) / rms(click())) == pytest.approx(0, abs=DB)
    np.testing.assert_allclose(tilt(breathy(), 0), breathy(), atol=1e-6)


@pytest.mark.parametrize("db", [-4.0, 0.5, 4.0])
def test_a_slope_is_even_in_octaves_and_flat_below_100_hz(db: float) -> None:
    made = slope(click(), db)
    found = levels(made, 200, 400, 800, 1600, 3200, 6400)
    assert np.diff(found) == pytest.approx([db] * 5, abs=0.2)
    below = levels(made, 30, 90)
    assert below[1] - below[0] == pytest.approx(0, abs=0.2)
    assert decibels(rms(made) / rms(click())) == pytest.approx(0, abs=DB)


def test_a_slope_moves_nothing_in_time() -> None:
    late = np.concatenate([np.zeros(4000, np.float32), breathy(0.5)])
    made = slope(late, 4.0)
    assert made.shape == late.shape
    assert rms(made[:3000]) < 0.01 * rms(made[4000:])
    np.testing.assert_allclose(slope(breathy(), 0), breathy(), atol=1e-6)


@pytest.mark.parametrize("order", [1, 4])
def test_a_low_cut_takes_away_what_is_below_its_limit(order: int) -> None:
    at, below, deeper, above = levels(low_cut(click(), 300.0, order), 300, 60, 30, 6000)
    assert above == pytest.approx(levels(click(), 6000)[0], abs=0.1)
    assert at - above == pytest.approx(-3, abs=0.1)
    assert below - deeper == pytest.approx(6 * order, abs=0.5)  # an octave apart


def test_a_low_cut_lowers_the_level_by_what_it_takes() -> None:
    assert rms(low_cut(breathy(), 350.0, 4)) < 0.8 * rms(breathy())
    assert rms(low_cut(breathy(), 60.0, 1)) == pytest.approx(rms(breathy()), rel=0.1)


def test_random_ones_stay_in_their_ranges() -> None:
    generators = [np.random.default_rng(seed) for seed in range(60)]
    ends = [levels(random_slope(click(), Slope(), rng), 1600, 800) for rng in generators]
    slopes = [high - low for high, low in ends]
    assert -4.2 < min(slopes) < -3
    assert 3 < max(slopes) < 4.2
    half = [levels(random_low_cut(click(), LowCut(), rng), 20, 60, 2000) for rng in generators]
    assert all(level - above < -2.9 for _, level, above in half)  # no limit is below 60 Hz
    steepness = [level - deeper for deeper, level, _ in half]
    assert min(steepness) < 12 < 36 < max(steepness)
    assert len({float(random_tilt(breathy(0.3), Tilt(), rng)[1000]) for rng in generators}) == 60
