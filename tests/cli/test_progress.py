"""The bar of work on many clips."""

from __future__ import annotations

import sys
import time

import pytest

from emovox.cli import console
from emovox.cli.progress import Steps, counting


def test_a_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(console, "REDRAW_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with counting("clips") as progress:
        progress(1, 4)
        progress(3, 4)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "1 of 4 clips" in shown.err
    assert " 75%" in shown.err
    assert shown.err.endswith(console.ERASE_LINE)


def test_a_file_sees_nothing_of_short_work(capsys: pytest.CaptureFixture[str]) -> None:
    with counting("clips") as progress:
        progress(4, 4)
    assert capsys.readouterr().err == ""


def test_a_file_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with counting("clips: inputs") as progress:
        for done, now in ((1, 1.0), (2, 31.0), (3, 32.0), (4, 62.0)):  # noqa: B007  # read by the clock
            progress(done, 4)
    assert capsys.readouterr().err == "  2 of 4 clips: inputs\n  4 of 4 clips: inputs\n"


def test_a_terminal_sees_steps_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    steps = Steps()
    steps(1, 3, "head: loss 2.000, 5 s left")
    steps(3, 3, "head: loss 1.000, 0 s left")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.split(console.ERASE_LINE)[1:] == [
        "  step 1 of 3, head: loss 2.000, 5 s left",
        "  step 3 of 3, head: loss 1.000, 0 s left\n",
    ]


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, 31.0, 32.0, 33.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    steps = Steps()
    for done in (1, 2, 3, 4):
        steps(done, 4, "loss 1.000")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["  step 2 of 4", "  step 4 of 4"]
