"""The package passes the cases that the page passes, too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emovox.runtime.vad import Vad, VadConfig
from tests.conformance.cases import ANSWERS, FOLDER, Case, read, signal
from tests.conformance.make import document

CASES = [pytest.param(topic, case, id=f"{topic}: {case['name']}") for topic in ANSWERS for case in read(topic)]
LARGEST = 60_000
"""Bytes of all files together: signals are formulas."""


@pytest.mark.parametrize(("topic", "case"), CASES)
def test_case(topic: str, case: Case) -> None:
    same(json.loads(json.dumps(ANSWERS[topic](case["given"]))), case["expected"], case.get("tolerance", 1e-9))


def test_the_files_are_as_they_are_made_and_small() -> None:
    paths = sorted(FOLDER.glob("*.json"))
    assert [path.stem for path in paths] == sorted(ANSWERS)
    assert sum(path.stat().st_size for path in paths) < LARGEST
    for path in paths:
        assert path.read_text(encoding="utf-8") == document(read(path.stem))
        assert len({case["name"] for case in read(path.stem)}) == len(read(path.stem)) > 1


@pytest.mark.parametrize("case", read("vad"), ids=lambda case: case["name"])
def test_no_decision_hangs_on_the_last_digit(case: Case) -> None:
    """Another implementation adds in another order; a change of level moves every rounding, too."""
    samples, rate = signal(case["given"]["signal"]), case["given"]["signal"]["sample_rate"]
    for factor in (0.99999, 1.00001):
        detector = Vad(VadConfig(), sample_rate=rate)
        levels = [*detector.feed(samples * samples.dtype.type(factor)), *detector.flush()]
        assert levels == [level for level, count in case["expected"]["levels"] for _ in range(count)]


def same(given: Any, expected: Any, tolerance: float = 1e-9) -> None:
    """Numbers to a tolerance, since sums may be in another order; everything else exactly, the order of keys too."""
    if isinstance(expected, dict):
        assert list(given) == list(expected)
        for key in expected:
            same(given[key], expected[key], tolerance)
    elif isinstance(expected, list):
        assert len(given) == len(expected)
        for one, other in zip(given, expected, strict=True):
            same(one, other, tolerance)
    elif isinstance(expected, float):
        assert given == pytest.approx(expected, abs=tolerance)
    else:
        assert given == expected
