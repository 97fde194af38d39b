"""Statistics over time against numpy, and small examples by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emovox.features.spectrum import Frames
from emovox.features.statistics import PERCENTS, SHAPE_NAMES, count_runs, masked_slope, shape_statistics, slopes

# Values of up to 1000 in float32: a rounding is 6e-5, and a sum over 60 of them stays within a few.
ROUNDING = 1e-3
TRACKS = arrays(
    np.float32,
    st.tuples(st.integers(1, 60), st.integers(1, 4)),
    elements=st.floats(-1000, 1000, width=32),
)


@settings(deadline=None)  # the first call loads compiled code
@given(TRACKS)
def test_statistics_are_those_of_numpy(tracks: Frames) -> None:
    found = shape_statistics(tracks)
    exact = tracks.astype(np.float64)
    expected = np.stack([exact.mean(axis=0), exact.std(axis=0), *np.percentile(exact, PERCENTS, axis=0)], axis=1)
    assert found.shape == (tracks.shape[1], len(SHAPE_NAMES))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


def test_an_example_by_hand() -> None:
    # 21 values 0 … 100 in steps of 5: every percentile falls on one of them
    track = np.arange(0, 105, 5, dtype=np.float32)[::-1, None]
    named = dict(zip(SHAPE_NAMES, shape_statistics(track)[0].tolist(), strict=True))
    deviation = 5 * np.sqrt((21**2 - 1) / 12)
    assert named == pytest.approx(
        {"mean": 50, "std": deviation, "p5": 5, "p25": 25, "p50": 50, "p75": 75, "p95": 95}, abs=1e-4
    )


def test_one_frame_is_its_own_percentiles() -> None:
    assert shape_statistics(np.array([[3.5, -1.0]], np.float32)).tolist() == [
        [3.5, 0, *[3.5] * 5],
        [-1.0, 0, *[-1.0] * 5],
    ]


def test_tracks_do_not_mix_and_stay_unchanged() -> None:
    tracks = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    before = tracks.copy()
    together = shape_statistics(tracks)
    np.testing.assert_array_equal(tracks, before)
    for column in range(3):
        np.testing.assert_array_equal(together[column], shape_statistics(tracks[:, [column]])[0])


@settings(deadline=None)  # the first call loads compiled code
@given(TRACKS)
def test_slopes_are_those_of_a_fitted_line(tracks: Frames) -> None:
    found = slopes(tracks)
    if len(tracks) == 1:
        expected = np.zeros(tracks.shape[1])
    else:
        expected = np.polyfit(np.linspace(0, 1, len(tracks)), tracks.astype(np.float64), 1)[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=5 * ROUNDING)


def test_slope_is_the_rise_from_first_to_last_frame() -> None:
    assert slopes(np.array([[1, 8], [2, 6], [3, 4], [4, 2]], np.float32)).tolist() == pytest.approx([3, -6], abs=1e-6)


def test_masked_slope_looks_at_marked_frames_only() -> None:
    line = np.linspace(10, 14, 9, dtype=np.float32)
    mask = np.array([0, 1, 1, 0, 0, 1, 0, 0, 1], bool)
    spoilt = np.where(mask, line, 1e6).astype(np.float32)
    # the rise is over all nine frames, though the first is not marked
    assert masked_slope(spoilt, mask) == pytest.approx(4, abs=1e-5)


@pytest.mark.parametrize("marked", [[], [4]])
def test_masked_slope_of_fewer_than_two_frames_is_zero(marked: list[int]) -> None:
    mask = np.isin(np.arange(9), marked)
    assert masked_slope(np.arange(9, dtype=np.float32), mask) == 0


def test_masked_slope_of_a_single_frame_is_zero() -> None:
    assert masked_slope(np.ones(1, np.float32), np.ones(1, bool)) == 0


@settings(deadline=None)  # the first call loads compiled code
@given(st.lists(st.booleans(), max_size=40))
def test_runs_are_counted(mask: list[bool]) -> None:
    expected = sum(word != "" for word in "".join("x" if marked else " " for marked in mask).split(" "))
    assert count_runs(np.array(mask, dtype=bool)) == expected
