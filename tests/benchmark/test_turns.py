from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from emovox.benchmark.machine import THREAD_VARIABLES, on_one_core
from emovox.benchmark.turns import MATRIX, TimeSpread, in_turn


def test_works_are_timed_in_turn_after_the_warm_up() -> None:
    clock: Iterator[float] = iter(range(10_000))
    calls: list[str] = []
    found = in_turn(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")},
        repeats=2,
        warm_up=1,
        clock=lambda: float(next(clock)),
    )
    assert calls == ["a", "a", "b", "b"] * 3
    assert found == dict.fromkeys((MATRIX, "a", "b"), TimeSpread(1000.0, 1000.0, 1000.0))


def test_a_busy_machine_is_noticed() -> None:
    assert TimeSpread(2.0, 1.0, 3.0).is_busy
    assert not TimeSpread(1.2, 1.0, 3.0).is_busy


def test_the_other_process_has_one_thread_and_this_one_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert [on_one_core(os.getenv, name) for name in THREAD_VARIABLES] == ["1"] * len(THREAD_VARIABLES)
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_an_error_there_is_an_error_here() -> None:
    with pytest.raises(FileNotFoundError):
        on_one_core(os.stat, "no such file")
