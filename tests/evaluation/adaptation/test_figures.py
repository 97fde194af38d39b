"""Figures of the adaptation protocol against counts that one can check by hand."""

from __future__ import annotations

import pytest

from emovox.evaluation.adaptation.counts import AdaptationCounts
from emovox.evaluation.adaptation.figures import measure_adapted, stream_accuracy

CLASSES = ("neutral", "sad", "calm")


def row(speaker: str, scored: tuple[int, ...], plain: tuple[int, ...], adapted: tuple[int, ...]) -> AdaptationCounts:
    return AdaptationCounts("made", speaker, "own", "mixture", "all", "", 5, CLASSES, scored, plain, adapted)


def test_recalls_are_pooled_over_speakers() -> None:
    found = measure_adapted([[row("a", (10, 10, 0), (5, 0, 0), (5, 5, 0)), row("b", (10, 0, 0), (5, 0, 0), (9, 0, 0))]])
    assert found.speakers == 2
    assert found.plain == pytest.approx(25.0)  # 10 of 20, and 0 of 10
    assert found.adapted == pytest.approx(60.0)  # 14 of 20, and 5 of 10
    assert found.change == pytest.approx(35.0)
    assert found.interval.low <= 35 <= found.interval.high


def test_equal_speakers_leave_no_doubt() -> None:
    rows = [row(name, (10, 10, 10), (5, 5, 5), (6, 6, 6)) for name in "abc"]
    assert measure_adapted([rows]).interval == pytest.approx((10.0, 10.0))


def test_cells_weigh_alike() -> None:
    up, down = ([row("a", (10, 10, 10), (5, 5, 5), (n, n, n))] for n in (7, 1))
    assert measure_adapted([up, down]).change == pytest.approx(-10.0)


def test_seven_tenths_of_a_stream_are_neutral_and_calm() -> None:
    found = measure_adapted([[row("a", (10, 20, 30), (8, 5, 24), (10, 0, 30))]], stream_accuracy)
    assert found.plain == pytest.approx(100 * (0.7 * 32 / 40 + 0.3 * 5 / 20))
    assert found.adapted == pytest.approx(70.0)
