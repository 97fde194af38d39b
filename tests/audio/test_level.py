"""Level meter."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.audio.level import FLOOR_DB, LevelMeter
from emovox.testing import tone


def test_a_full_sine_is_0_at_its_peak_and_3_less_on_average() -> None:
    meter = LevelMeter()
    meter.feed(tone(200.0, seconds=1.0, level=1.0)[None])
    level = meter.read()
    assert level is not None
    assert level.peak_db == pytest.approx(0, abs=0.01)
    assert level.mean_db == pytest.approx(-3.01, abs=0.01)


def test_it_is_the_level_since_it_was_read() -> None:
    meter = LevelMeter()
    assert meter.read() is None
    meter.feed(tone(200.0, seconds=0.1, level=0.5)[None])
    meter.feed(tone(200.0, seconds=0.1, level=0.1)[None])
    level = meter.read()
    assert level is not None
    assert level.peak_db == pytest.approx(-6.02, abs=0.1)
    assert meter.read() is None


def test_zeros_are_counted_until_there_is_sound() -> None:
    meter = LevelMeter()
    meter.feed(np.zeros((2, 100), np.float32))
    meter.feed(np.zeros((2, 100), np.float32))
    assert meter.silent == 200
    assert meter.read() == (FLOOR_DB, FLOOR_DB)
    meter.feed(np.full((2, 1), 1e-9, np.float32))
    assert meter.silent == 0
