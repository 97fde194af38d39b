"""Errors of a timeline of speakers, on timelines whose errors are known."""

from __future__ import annotations

import pytest

from studies.turn_errors import errors_of, pairs_right

TRUTH = [(0.0, 2.0, 0), (3.0, 5.0, 1)]


def test_names_of_speakers_do_not_matter() -> None:
    found = errors_of(TRUTH, [(0.0, 2.0, 1), (3.0, 5.0, 0)], collar=0.0)
    assert found.rate == pytest.approx(0.0, abs=0.01)
    assert found.spoken == pytest.approx(4.0, abs=0.05)


def test_each_kind_of_error_is_counted() -> None:
    one_voice = errors_of(TRUTH, [(0.0, 2.0, 0), (3.0, 5.0, 0)], collar=0.0)
    assert one_voice.confused == pytest.approx(2.0, abs=0.05)
    missed = errors_of(TRUTH, [(0.0, 1.0, 0), (3.0, 5.0, 1)], collar=0.0)
    assert missed.missed == pytest.approx(1.0, abs=0.05)
    assert missed.confused == pytest.approx(0.0, abs=0.05)
    invented = errors_of(TRUTH, [(0.0, 3.0, 0), (3.0, 5.0, 1)], collar=0.0)
    assert invented.invented == pytest.approx(1.0, abs=0.05)
    late = errors_of(TRUTH, [(0.0, 2.0, 0), (3.2, 5.0, 1)], collar=0.25)
    assert late.rate == pytest.approx(0.0, abs=0.01)


def test_pairs_of_segments() -> None:
    segments = [(0.0, 1.0, 7), (1.0, 2.0, 7), (3.0, 4.0, 7), (4.0, 5.0, 8)]
    same, apart = pairs_right(TRUTH, segments)
    assert (same, apart) == (0.5, 0.5)
