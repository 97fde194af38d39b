"""Pauses, voicing and speaking rate of made-up levels."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.features.rhythm import PAUSE_DEPTH_DB, RHYTHM_NAMES, rhythm
from emovox.features.spectrum import Frames

FRAME, PITCH = 0.01, 0.02


def measure(level: Frames, voiced: list[int] | None = None) -> dict[str, float]:
    mask = np.array([0] if voiced is None else voiced, dtype=bool)
    values = rhythm(level, mask, frame_seconds=FRAME, pitch_seconds=PITCH)
    assert values.dtype == np.float32
    return dict(zip(RHYTHM_NAMES, values.tolist(), strict=True))


def test_pauses_by_hand() -> None:
    # 1 s: 0.5 s loud, 0.2 s pause, 0.2 s loud, 0.1 s pause
    level = np.repeat([-20.0, -60.0, -25.0, -50.0], [50, 20, 20, 10]).astype(np.float32)
    found = measure(level)
    assert found["pause_share"] == pytest.approx(0.3)
    assert found["pause_rate"] == pytest.approx(2.0)
    assert found["pause_length"] == pytest.approx(0.15)


@pytest.mark.parametrize(("depth", "paused"), [(PAUSE_DEPTH_DB, 0.0), (PAUSE_DEPTH_DB + 0.01, 0.5)])
def test_a_pause_lies_below_the_depth_and_not_at_it(depth: float, paused: float) -> None:
    assert measure(np.repeat([0.0, -depth], 10).astype(np.float32))["pause_share"] == paused


def test_voicing_by_hand() -> None:
    found = measure(np.zeros(20, np.float32), [0, 1, 1, 0, 0, 1, 1, 1, 1, 0])
    assert found["voiced_share"] == pytest.approx(0.6)
    assert found["voiced_rate"] == pytest.approx(2 / 0.2)
    assert found["voiced_length"] == pytest.approx(6 * PITCH / 2)


def test_peaks_follow_the_syllables() -> None:
    # 2 s of level that swings four times a second; the first and last frames are in a trough
    time = np.arange(200) * FRAME
    level = (-30 - 10 * np.cos(2 * np.pi * 4 * time)).astype(np.float32)
    assert measure(level)["peak_rate"] == pytest.approx(4.0)


def test_peaks_below_the_median_do_not_count() -> None:
    level = np.array([-40, -30, -40, 0, 1, 0, 0, 0, 0], np.float32)
    assert measure(level)["peak_rate"] == pytest.approx(1 / (9 * FRAME))


def test_a_flat_top_is_one_peak() -> None:
    assert measure(np.array([-9, -9, 0, 0, 0, -9, -9], np.float32))["peak_rate"] == pytest.approx(1 / (7 * FRAME))


def test_the_level_of_the_recording_does_not_matter() -> None:
    level = np.random.default_rng(3).integers(-60, 0, 300).astype(np.float32)
    assert measure(level) == measure(level - 40)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_very_short_and_constant_levels(n: int) -> None:
    assert set(measure(np.full(n, -120.0, np.float32)).values()) == {0.0}
