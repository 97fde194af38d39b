"""Drift is noticed after a shift, and hardly ever without one."""

from __future__ import annotations

import numpy as np

from emovox.adaptation.drift import LEAST, Drift


def alarms(errors: np.ndarray) -> list[int]:
    """Return after which errors there was an alarm."""
    drift, found = Drift(), []
    for place, error in enumerate(errors):
        before, drift = drift.alarms, drift.after(float(error))
        found += [place] * (drift.alarms - before)
    return found


def errors(n: int, mean: float, rng: np.random.Generator) -> np.ndarray:
    """Errors in [0, 1] that deviate by 0.3 around a mean."""
    return np.asarray(np.clip(rng.normal(mean, 0.3, n), 0, 1))


def test_a_shift_is_noticed_within_forty_clips() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        found = alarms(np.concatenate([errors(100, 0.3, rng), errors(40, 0.7, rng)]))
        assert found
        assert all(place >= 100 for place in found)


def test_errors_that_stay_or_fall_give_no_alarm() -> None:
    rng = np.random.default_rng(1)
    stays = [alarms(errors(200, 0.4, rng)) for _ in range(100)]
    falls = [alarms(np.concatenate([errors(100, 0.6, rng), errors(100, 0.3, rng)])) for _ in range(100)]
    assert sum(map(bool, stays)) <= 10
    assert sum(map(bool, falls)) <= 2


def test_an_alarm_starts_the_test_anew() -> None:
    drift = Drift()
    for error in [0.0] * 20 + [1.0] * 5:
        drift = drift.after(error)
    assert drift == Drift(alarms=1) or (drift.alarms, drift.above) == (1, 0.0)
    for _ in range(LEAST + 50):
        drift = drift.after(1.0)
    assert drift.alarms == 1, "large errors are usual now"
