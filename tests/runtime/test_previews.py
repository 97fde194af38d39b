from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovox.audio.types import Samples
from emovox.runtime.channel import Smoother


def normalised(scores: list[float]) -> Samples:
    values = np.array(scores, np.float32)
    return np.asarray(values / values.sum(), np.float32)


WINDOWS = st.lists(st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3).map(normalised), min_size=2, max_size=8)


@given(WINDOWS)
def test_two_windows_that_agree_decide(windows: list[Samples]) -> None:
    """So a real change is shown one hop late at most."""
    smoother = Smoother()
    shown = [smoother.feed(window) for window in windows]
    for before, window, seen in zip(windows, windows[1:], shown[1:], strict=False):
        best = window.argmax()
        if before.argmax() == best:
            assert seen[best] == seen.max()


@given(WINDOWS)
def test_scores_stay_probabilities(windows: list[Samples]) -> None:
    smoother = Smoother()
    for window in windows:
        seen = smoother.feed(window)
        assert seen.dtype == np.float32
        assert seen.sum() == pytest.approx(1, abs=1e-5)


def test_one_odd_window_does_not_show() -> None:
    smoother = Smoother()
    calm, odd = normalised([0.7, 0.2, 0.1]), normalised([0.3, 0.4, 0.3])
    assert [smoother.feed(window).argmax() for window in (calm, calm, odd, calm)] == [0, 0, 0, 0]


def test_the_first_window_is_shown_as_it_is() -> None:
    window = normalised([0.2, 0.5, 0.3])
    np.testing.assert_array_equal(Smoother().feed(window), window)
