"""`emovox train` from recordings to a model that predicts, with labels that nobody else has."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import soundfile

from emovox.cli.train import with_further
from emovox.evaluation.figures.files import read_predictions
from emovox.runtime.model import Model
from emovox.testing import RATE
from emovox.workflow import read_recipe
from tests.commands import command as emovox
from tests.sounds import MOODS, utterance, write_sounds

LABELS = tuple(sorted(MOODS))
RECIPE = """
description = "three moods"
export = true

[data]
corpora = ["own.jsonl"]
protocol = "si"

[svm]
c = [3.0]
gamma = [0.3]
inner_folds = 3
"""


def prepare(folder: Path, *, speakers: bool) -> None:
    write_sounds(folder / "voices", speakers=speakers)
    (folder / "moods.toml").write_text(RECIPE, encoding="utf-8")
    emovox("data", "index", "table", str(folder / "voices" / "own.csv"), "--output", str(folder / "own.jsonl"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings, their manifest, a recipe and the run that came of it."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("EMOVOX_CACHE", str(folder / "cache"))
        prepare(folder, speakers=True)
        emovox("train", "moods.toml", "--output", "run", "--workers", "1")
    return folder


@pytest.fixture
def here(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    monkeypatch.setenv("EMOVOX_CACHE", str(trained / "cache"))
    return trained


def test_the_run_holds_predictions_pictures_and_the_model(here: Path) -> None:
    names = {path.relative_to(here / "run").as_posix() for path in (here / "run").rglob("*") if path.is_file()}
    assert {"recipe.json", "versions.json", "predictions/own_own_si_tile.csv", "moods.onnx", "moods.json"} <= names
    assert {"report/report.html", "report/own_own_si_tile-confusion.png"} <= names
    assert not [name for name in names if ".tmp" in name or "draft" in name]
    made = read_predictions("run/predictions/own_own_si_tile.csv")
    assert made.classes == LABELS
    assert len(made) == 24
    # four voices apart in pitch by less than the moods are: held-out voices are told right far above chance
    assert (made.label == made.predicted).mean() > 0.8


def test_the_card_has_the_three_labels(here: Path) -> None:
    card = Model.load(here / "run" / "moods.onnx").card
    assert card.labels == LABELS
    assert (card.name, card.description) == ("moods", "three moods; learnt from own (24 clips, 4 speakers)")
    assert card.limits.startswith("learnt from 24 clips of 4 speakers, below 500 clips and 10 speakers: ")
    assert [(corpus.name, corpus.speakers, corpus.clips) for corpus in card.corpora] == [("own", 4, 24)]
    assert [(figure.corpus, figure.protocol) for figure in card.figures] == [("own", "si")]


@pytest.fixture
def stranger(here: Path, tmp_path: Path) -> Path:
    """A recording of a take that was not trained on."""
    path = tmp_path / "new.wav"
    soundfile.write(path, utterance("cross", "bob", 9), RATE)
    return path


def test_predict_speaks_of_the_three_labels(here: Path, stranger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("predict", str(stranger), "--model", "run/moods.onnx", "--format", "json")
    document = json.loads(capsys.readouterr().out)
    assert document["model"]["name"] == "moods"
    (row,) = document["results"]
    assert tuple(row["scores"]) == LABELS
    assert max(row["scores"], key=row["scores"].__getitem__) == "cross"
    emovox("predict", str(stranger), "--model", "run/moods.onnx", "--threshold", "0", "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert set(LABELS) <= set(lines[0])
    assert {line["label"] for line in lines} == {"cross"}
    emovox("predict", str(stranger), "--model", "run/moods.onnx", "--threshold", "0", "--format", "vtt")
    assert "cross" in capsys.readouterr().out


def test_the_picture_is_drawn_with_the_three_labels(here: Path, stranger: Path, tmp_path: Path) -> None:
    emovox("predict", str(stranger), "--model", "run/moods.onnx", "--plot", str(tmp_path / "timeline.png"))
    assert (tmp_path / "timeline.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_of_a_run_is_that_of_evaluate(here: Path, tmp_path: Path) -> None:
    emovox("evaluate", "run", "--output", str(tmp_path / "report"))
    written = (here / "run" / "report" / "report.md").read_text(encoding="utf-8")
    assert written.split(r"## own\_own\_si\_tile")[1].split("emovox evaluate")[0] in (
        tmp_path / "report" / "report.md"
    ).read_text(encoding="utf-8")


def test_evaluate_reports_the_three_labels(here: Path, tmp_path: Path) -> None:
    emovox("evaluate", "run", "--output", str(tmp_path / "report"))
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    for label in LABELS:
        assert label in text
        assert label in page
    assert "neutral" not in text
    assert list((tmp_path / "report").rglob("*.png"))


def test_evaluate_measures_the_model_itself(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("evaluate", "run/moods.onnx", "--corpus", "own.jsonl", "--format", "json")
    captured = capsys.readouterr()
    assert "bored" in captured.out
    assert "trained on" in captured.err  # its own training clips: said aloud


def test_a_second_training_is_refused_and_resume_changes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in (here / "run").rglob("*.csv")}
    emovox("train", "moods.toml", "--output", "run", "--workers", "1", status=1)
    assert "error: run: holds a run already; continue it with --resume" in capsys.readouterr().err
    emovox("train", "moods.toml", "svm.c=[1.0]", "--output", "run", "--resume", "--workers", "1", status=1)
    assert "another recipe" in capsys.readouterr().err
    emovox("train", "moods.toml", "--output", "run", "--resume", "--workers", "1")
    assert before == {path: path.read_bytes() for path in before}
    assert "own, 3 classes" in capsys.readouterr().out


def test_a_mistake_in_the_recipe_is_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("train", "moods.toml", "svm.penalty=3", status=1)
    assert capsys.readouterr().err.startswith("error: moods.toml: Object contains unknown field `penalty`")
    emovox("train", "none.toml", status=1)
    assert "no such recipe" in capsys.readouterr().err


def test_without_speakers_speaker_independence_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOVOX_CACHE", str(tmp_path / "cache"))
    prepare(tmp_path, speakers=False)
    capsys.readouterr()
    emovox("train", "moods.toml", "--output", "run", "--workers", "1", status=1)
    error = capsys.readouterr().err
    assert "error: si: 24 of 24 clips have no speaker" in error
    assert "or use the protocol sd, whose figures are inflated" in error
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "cache").exists()  # refused before any features were computed
    emovox("train", "moods.toml", "data.protocol=sd", "export=false", "--output", "run", "--workers", "1")
    assert "speaker-dependent" in capsys.readouterr().out


def test_further_recordings_join_those_of_the_recipe(here: Path) -> None:
    recipe = here / "moods.toml"
    assert with_further(recipe, ["name=x"], []) == ["name=x"]
    changes = with_further(recipe, ["name=x"], ["new.csv"])
    assert read_recipe(recipe, changes).data.corpora == ("own.jsonl", "new.csv")
    only = with_further(recipe, ['data.corpora=["a.csv"]'], ["b.csv", "c.csv"])
    assert read_recipe(recipe, only).data.corpora == ("a.csv", "b.csv", "c.csv")
