"""`emovox transfer` on two corpora of generated voices."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.commands import status_of as emovox
from tests.sounds import write_sounds

RECIPE = """
[data]
corpora = ["one.csv"]
protocol = "si"

[svm]
c = [3.0]
gamma = [0.3]
inner_folds = 2
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe over the table one.csv, and a second table, two.csv."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOVOX_CACHE", str(tmp_path / "cache"))
    table = write_sounds(tmp_path, takes=1).read_text(encoding="utf-8").splitlines()
    for name, language, speakers in (("one", "en", ("ada", "bob")), ("two", "de", ("cy", "dee"))):
        rows = [f"{row},{language}" for row in table[1:] if row.endswith(speakers)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["path,label,speaker,language", *rows]) + "\n", "utf-8")
    (tmp_path / "moods.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def test_any_corpus_joins_the_map(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert emovox("transfer", "moods.toml", "--with", "two.csv", "--output", "map", "--workers", "1") == 0
    said = capsys.readouterr()
    assert "# Transfer of moods" in said.out
    assert "[4/4] learnt from other languages, for two" in said.err
    with (here / "map" / "transfer.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["learnt"], row["tested"]) for row in rows if row["view"] == "plain"] == [
        ("one", "two"),
        ("two", "one"),
        ("other languages", "one"),
        ("other languages", "two"),
    ]
    assert (here / "map" / "transfer.png").stat().st_size > 1000
    assert emovox("transfer", "moods.toml", "--with", "two.csv", "--output", "map") == 1
    assert "holds a run already; continue it with --resume" in capsys.readouterr().err
    assert emovox("transfer", "moods.toml", "--with", "two.csv", "--output", "map", "--resume") == 0


def test_one_corpus_is_no_map(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert emovox("transfer", "moods.toml", "--output", "map") == 1
    assert "error: transfer: got only one, expected two corpora or more" in capsys.readouterr().err
    assert not (here / "map").exists()


def test_a_pretraining_has_no_map(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'kind = "pretraining"\n[data]\ncorpora = ["one.csv"]\n[encoder]\nname = "mobile"\n'
    (here / "voices.toml").write_text(text, encoding="utf-8")
    assert emovox("transfer", "voices.toml") == 1
    assert "kind is 'pretraining', expected one of svm, network" in capsys.readouterr().err
