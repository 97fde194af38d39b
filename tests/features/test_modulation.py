"""Modulation energy of envelopes whose rates are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from emovox.features.modulation import (
    EDGES_HZ,
    FLOOR,
    GROUPS,
    MODULATION_NAMES,
    RATES_PER_BAND,
    modulation,
    modulation_rates,
)
from emovox.features.spectrum import Frames

STEP = 0.01
N_MELS = 64
BANDS = len(EDGES_HZ) - 1
ROUNDING = 2e-4


def by_band(bands: Frames) -> npt.NDArray[np.float32]:
    """[rate band, group of mel bands]."""
    return modulation(bands, frame_seconds=STEP).reshape(BANDS, GROUPS)


def modulated(rate: float, *, count: int = 300, group: int | None = None) -> Frames:
    """Return log-mel with a modulation of ±5 dB at a rate, in one group of bands or in all."""
    bands = np.full((count, N_MELS), -40.0)
    swing = 5 * np.sin(2 * np.pi * rate * np.arange(count) * STEP)
    width = N_MELS // GROUPS
    chosen = slice(None) if group is None else slice(group * width, (group + 1) * width)
    bands[:, chosen] += swing[:, None]
    return bands.astype(np.float32)


def test_rates_divide_the_bands_evenly() -> None:
    rates = modulation_rates().reshape(BANDS, RATES_PER_BAND)
    for low, high, own in zip(EDGES_HZ[:-1], EDGES_HZ[1:], rates, strict=True):
        assert low < own.min() < own.max() < high
        np.testing.assert_allclose(np.diff(own), (high - low) / RATES_PER_BAND, rtol=1e-5)


def test_energy_is_that_of_the_fourier_sum() -> None:
    bands = np.random.default_rng(1).normal(-30, 8, (137, N_MELS)).astype(np.float32)
    groups = bands.astype(np.float64).reshape(137, GROUPS, -1).mean(axis=2)
    groups -= groups.mean(axis=0)
    time = np.arange(137) * STEP
    waves = np.exp(-2j * np.pi * np.outer(modulation_rates(), time))
    power = np.abs(waves @ groups) ** 2 / 137
    energy = np.log(power.reshape(BANDS, RATES_PER_BAND, GROUPS).mean(axis=1) + FLOOR)
    np.testing.assert_allclose(by_band(bands), energy, atol=ROUNDING)


@pytest.mark.parametrize(("rate", "band"), [(1.0, 0), (3.0, 1), (5.5, 2), (12.0, 3), (25.0, 4)])
def test_a_swing_shows_in_the_band_of_its_rate(rate: float, band: int) -> None:
    assert (by_band(modulated(rate)).argmax(axis=0) == band).all()


def test_a_swing_shows_in_its_own_mel_bands_only() -> None:
    found = by_band(modulated(5.0, group=7))
    others = np.delete(np.arange(GROUPS), 7)
    np.testing.assert_allclose(found[:, others], np.log(FLOOR), atol=1e-3)
    assert found[2, 7] > np.log(FLOOR) + 10


def test_the_level_of_the_recording_does_not_matter() -> None:
    bands = modulated(5.0)
    np.testing.assert_allclose(by_band(bands), by_band(bands - 20), atol=ROUNDING)


@pytest.mark.parametrize("count", [1, 2, 300])
def test_a_steady_sound_gives_the_floor(count: int) -> None:
    np.testing.assert_allclose(by_band(np.full((count, N_MELS), -100, np.float32)), np.log(FLOOR), atol=1e-5)


def test_names_stand_in_the_order_of_the_values() -> None:
    assert len(MODULATION_NAMES) == BANDS * GROUPS == len(set(MODULATION_NAMES))
    found = dict(zip(MODULATION_NAMES, modulation(modulated(5.0, group=3), frame_seconds=STEP), strict=True))
    assert max(found, key=found.__getitem__) == "modulation_3_4_8hz"
