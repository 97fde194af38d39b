"""The bar of work on many clips."""

from __future__ import annotations

import sys

import pytest

from emovox.cli import console
from emovox.cli.progress import counting


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


def test_a_file_sees_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with counting("clips") as progress:
        progress(4, 4)
    assert capsys.readouterr().err == ""
