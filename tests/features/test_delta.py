from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.features.delta import delta, savgol_weights
from emovox.schema.errors import ConfigError

EXACT = 1e-5
"""float32 sums of nine products of numbers around 1."""


@settings(max_examples=30, deadline=None)
@given(count=st.integers(2, 40), slope=st.floats(-2, 2), width=st.sampled_from([3, 5, 9, 15]))
def test_delta_of_a_line_is_its_slope(count: int, slope: float, width: int) -> None:
    line = (slope * np.arange(count) / 10 + 0.3).astype(np.float32)
    np.testing.assert_allclose(delta(line, width=width), slope / 10, atol=EXACT)


@settings(max_examples=30, deadline=None)
@given(count=st.integers(3, 40), bend=st.floats(-1, 1))
def test_delta2_of_a_parabola_is_its_curvature(count: int, bend: float) -> None:
    time = np.arange(count) / count
    parabola = (bend * time**2 - time)[:, None].astype(np.float32)
    np.testing.assert_allclose(delta(parabola, order=2), 2 * bend / count**2, atol=EXACT)


@pytest.mark.parametrize("order", [1, 2])
def test_fewer_frames_than_the_window_are_fitted_as_a_whole(order: int) -> None:
    track = np.random.default_rng(0).standard_normal(6).astype(np.float32)
    fit = np.polyfit(np.arange(6), track, order)
    np.testing.assert_allclose(delta(track, order=order), order * fit[0], atol=EXACT)


@pytest.mark.parametrize(("count", "order"), [(1, 1), (1, 2), (2, 2)])
def test_too_few_frames_for_a_derivative_give_zero(count: int, order: int) -> None:
    np.testing.assert_array_equal(delta(np.ones((count, 13), np.float32), order=order), np.zeros((count, 13)))


def test_the_ends_repeat_the_nearest_complete_window() -> None:
    result = delta(np.random.default_rng(1).standard_normal((30, 2)).astype(np.float32))
    np.testing.assert_array_equal(result[:4], np.tile(result[4], (4, 1)))
    np.testing.assert_array_equal(result[-4:], np.tile(result[-5], (4, 1)))


def test_weights_of_the_textbook() -> None:
    np.testing.assert_allclose(savgol_weights(9, 1), np.arange(-4, 5) / 60, atol=1e-7)
    np.testing.assert_allclose(savgol_weights(5, 2), np.array([2, -1, -2, -1, 2]) / 7, atol=1e-7)


@pytest.mark.parametrize(("width", "order"), [(8, 1), (1, 1), (9, 0), (9, 9)])
def test_impossible_windows_are_an_error(width: int, order: int) -> None:
    with pytest.raises(ConfigError, match=f"got width {width}, order {order}; expected an odd width"):
        delta(np.zeros(20, np.float32), width=width, order=order)
