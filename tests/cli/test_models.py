from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from emovox.cli import models as module
from emovox.testing import write_toy
from tests.commands import command


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    paths = {name: write_toy(tmp_path, name=name) for name in ("alpha", "beta")}
    monkeypatch.setattr(module, "shipped", lambda: paths)
    monkeypatch.setattr(module, "heads", dict)
    monkeypatch.setattr(module, "resolve", lambda name: paths.get(name, Path(name)))
    return tmp_path


emovox = partial(command, "models")


def test_list_shows_labels_size_licence_and_figures(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox()
    text = capsys.readouterr().out
    assert [line.split()[0] for line in text.splitlines() if line and line[0] != " "] == ["alpha", "beta"]
    assert "labels   neutral happy sad angry fear disgust surprise" in text
    assert "21 parameters, 0.0 MB" in text
    assert "Apache-2.0; risk: none" in text
    assert "tones      si        UAR     90.0  85.0 to 95.0" in text


def test_name_shows_the_card(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("beta")
    text = capsys.readouterr().out
    assert text.startswith("beta 1.2.0  For tests.\n")
    assert "16000 Hz mono, 0.3 to 6.0 s, windows of 3.0 s" in text
    assert "recipes/toy.toml" in text
    assert re.search(r"threshold  0\.\d\d \(no label below this score\), temperature \d\.\d\d\n", text)
    assert "tones     1         7      CC0-1.0" in text


def test_json_is_the_card_with_size_and_path(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("beta", "--format", "json")
    card = json.loads(capsys.readouterr().out)
    emovox("--format", "json")
    assert json.loads(capsys.readouterr().out)[1] == card
    assert card["bytes"] == (shipped / "beta.onnx").stat().st_size
    assert card["path"] == str(shipped / "beta.json")
    assert (card["name"], card["figures"][0]["low"]) == ("beta", 85.0)


def test_without_models_it_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "shipped", dict)
    monkeypatch.setattr(module, "heads", dict)
    emovox()
    assert capsys.readouterr().out.startswith("no models come with this installation")


def test_unknown_name_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    emovox("svn", status=1)
    assert capsys.readouterr().err.startswith("error: no model 'svn': shipped are")


def test_fetch_brings_a_model_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []

    def fetch(name: str, *, base: str | None, done: Callable[[int], None]) -> list[Path]:
        fetched.append((name, base))
        done(3)
        return [tmp_path / "x.onnx"]

    monkeypatch.setattr(module, "fetch", fetch)
    emovox("fetch", "hybrid", "--from", "https://example.org")
    assert (fetched, capsys.readouterr().out) == ([("hybrid", "https://example.org")], f"{tmp_path / 'x.onnx'}\n")
    emovox("fetch", status=2)
    assert "fetch takes one name: hybrid, svm" in capsys.readouterr().err
    emovox("alpha", "beta", status=2)
    assert "got the names alpha, beta, expected one" in capsys.readouterr().err
