from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import soundfile

from emovox.cli.main import main
from emovox.corpora.manifest import Clip, write_manifest
from emovox.evaluation.figures.files import read_predictions, write_predictions
from emovox.evaluation.figures.predictions import Predictions, Row
from emovox.evaluation.run import FilePredictor
from emovox.schema.card import CardCorpus
from emovox.testing import RATE, speech, write_toy
from tests.commands import command

LABELS = ("low", "middle", "high")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model, a manifest of four recordings, a training run and predictions of others."""
    write_toy(tmp_path, labels=LABELS, corpora=(CardCorpus("seen", "CC0-1.0", 2, 4),))
    clips = []
    for number, label in enumerate(("low", "high", "low", "high")):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, speech(110.0 if label == "low" else 400.0, seconds=1.5), RATE)
        for corpus in ("own", "seen"):
            clips.append(_clip(corpus, str(number), path, label))
    for corpus in ("own", "seen"):
        write_manifest([clip for clip in clips if clip.corpus == corpus], tmp_path / f"{corpus}.jsonl")
    write_predictions(_predictions(right=3), tmp_path / "run" / "predictions" / "own_own_si_tile.csv")
    write_predictions(_predictions(right=1), tmp_path / "svm.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _clip(corpus: str, name: str, path: Path, label: str) -> Clip:
    speaker = ("ada", "bob")[int(name) // 2]
    return Clip(
        corpus=corpus,
        id=name,
        path=str(path),
        speaker=speaker,
        native=label,
        label=label,
        duration=1.5,
        sample_rate=RATE,
    )


def _predictions(*, right: int, speaker: str | None = None) -> Predictions:
    """Four clips, the first `right` of them right."""
    rows = []
    for i in range(4):
        label, other = ("low", "high") if i % 2 == 0 else ("high", "low")
        predicted = label if i < right else other
        who = ("ada", "bob")[i // 2] if speaker is None else speaker
        scores = (0.8, 0.0, 0.2) if predicted == "low" else (0.2, 0.0, 0.8)
        rows.append(Row("own", str(i), who, str(i // 2 + 1), label, predicted, scores))
    return Predictions.from_rows(rows, LABELS)


emovox = partial(command, "evaluate")


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_predictions_alone_give_all_figures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("--predictions", "svm.csv", "--format", "json")
    (found,) = document(capsys)["results"]
    # Only u0 (low) is right: recall of low 1/2, of high 0.
    assert found["metrics"]["uar"]["value"] == found["metrics"]["accuracy"]["value"] == 0.25
    assert found["name"] == "svm"
    assert found["protocol"] is None


def test_a_dash_stands_for_no_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("-", "--predictions", "svm.csv")
    text = capsys.readouterr().out
    assert "own, 2 classes" in text
    assert "25.0 [" in text
    assert "chance" in text
    assert "mistakes    high → low 2 (100.0 %), low → high 1 (50.0 %)" in text


def test_several_files_are_compared_with_the_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("--predictions", "svm.csv", "--predictions", "run/predictions/own_own_si_tile.csv", "--format", "json")
    data = document(capsys)
    assert [found["name"] for found in data["results"]] == ["svm", "own_own_si_tile"]
    (found,) = data["comparisons"]
    assert (found["first"], found["second"]) == ("svm", "own_own_si_tile")
    assert found["differences"]["accuracy"]["value"] == 0.5
    emovox("--predictions", "svm.csv", "--predictions", "run/predictions/own_own_si_tile.csv")
    assert "own     own_own_si_tile  svm      +50.0 [" in capsys.readouterr().out


def test_a_training_run_is_its_predictions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("run", "--format", "json")
    (found,) = document(capsys)["results"]
    assert found["metrics"]["accuracy"]["value"] == 0.75
    assert found["protocol"] == "speaker-independent"


@pytest.fixture
def runs(folder: Path) -> Path:
    """Two more runs, each with two views; the second is right on all clips, the first on three of four."""
    for name, right in (("first", 3), ("second", 4)):
        for stem in ("own_own_si_tile", "own_own_si_whole"):
            write_predictions(_predictions(right=right), folder / name / "predictions" / f"{stem}.csv")
    return folder


def test_runs_stand_side_by_side(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("first", "second")
    text = capsys.readouterr().out
    table, differences = text.split("differences on the same clips")
    assert [line.split()[3] for line in table.splitlines() if line.startswith("own,")] == ["first", "second", "chance"]
    assert "own     second  first    +25.0 [" in differences
    assert "no detectable difference" in differences
    assert "whole clips" not in text
    assert "mistakes" not in text, "they would bury the table"


def test_runs_are_compared_view_by_view(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("first", "second", "--views", "--format", "json")
    data = document(capsys)
    assert [(found["name"], found["protocol"]) for found in data["results"]] == [
        ("first", "speaker-independent"),
        ("first, whole clips", "speaker-independent"),
        ("second", "speaker-independent"),
        ("second, whole clips", "speaker-independent"),
    ]
    pairs = [(found["first"], found["second"]) for found in data["comparisons"]]
    assert pairs == [("first", "second"), ("first, whole clips", "second, whole clips")]


def test_a_single_run_shows_its_views_unless_told_otherwise(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("first", "--format", "json")
    assert [found["name"] for found in document(capsys)["results"]] == ["own_own_si_tile", "own_own_si_whole"]
    emovox("first", "--no-views", "--format", "json")
    assert [found["name"] for found in document(capsys)["results"]] == ["own_own_si_tile"]


def test_runs_and_predictions_go_together(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("first", "second/", "--predictions", "svm.csv", "--output", "out", "--format", "json")
    assert [found["name"] for found in document(capsys)["results"]] == ["first", "second", "svm"]
    assert {path.name for path in (runs / "out").glob("*.csv")} == {
        "first-own_own_si_tile.csv",
        "second-own_own_si_tile.csv",
        "svm-own.csv",
    }
    assert "emovox evaluate first second/ --predictions svm.csv" in (runs / "out" / "report.md").read_text()


def test_runs_of_one_name_keep_their_paths(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "first").rename(runs / "elsewhere")
    (runs / "other").mkdir()
    (runs / "elsewhere").rename(runs / "other" / "second")
    emovox("second", "other/second", "--format", "json")
    assert [found["name"] for found in document(capsys)["results"]] == ["second", "other/second"]


def test_of_a_run_only_the_wanted_corpus_is_read(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = _predictions(right=4).rows()
    write_predictions(
        Predictions.from_rows([row._replace(corpus="else") for row in other], LABELS),
        runs / "first" / "predictions" / "else_own_si_tile.csv",
    )
    for arguments in (["first"], ["first", "second"]):
        emovox(*arguments, "--corpus", "own", "--no-views", "--format", "json")
        assert {found["corpus"] for found in document(capsys)["results"]} == {"own"}


def test_a_report_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("run", "--predictions", "svm.csv", "--output", "out")
    assert "report: out/report.html" in capsys.readouterr().err
    text = (folder / "out" / "report.md").read_text(encoding="utf-8")
    assert "75.0" in text
    assert "    emovox evaluate run --predictions svm.csv --output out --seed 0" in text
    emovox("--predictions", "out/own_own_si_tile.csv", "--format", "json")
    assert document(capsys)["results"][0]["metrics"]["accuracy"]["value"] == 0.75


def test_a_model_is_run_over_a_manifest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("toy.onnx", "--corpus", "own.jsonl", "--protocol", "si", "--output", "out", "--format", "json")
    data = document(capsys)
    assert [found["name"] for found in data["results"]] == ["toy", "toy, all labels"]
    assert data["results"][0]["folds"] == 2
    assert data["model"] == {"name": "toy", "parameters": 9, "trained_on_these_speakers": []}
    assert data["latency"]["recordings"] == 4
    assert data["latency"]["milliseconds"]["total"]["median"] > 0
    assert len(read_predictions(folder / "out" / "toy-own.csv")) == 4
    assert not list((folder / "out").glob(".partial*"))


def test_speakers_of_the_training_are_warned_about_loudly(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("toy.onnx", "--corpus", "seen.jsonl,own.jsonl", "--protocol", "si", "--output", "out")
    captured = capsys.readouterr()
    assert "WARNING: toy was trained on seen: these speakers were in training" in captured.err
    assert "not a speaker-independent figure" in captured.err
    assert "trained on these speakers (not a result)" in captured.out
    assert "**Warning:** toy was trained on seen" in (folder / "out" / "report.md").read_text(encoding="utf-8")


def test_a_killed_run_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from emovox.runtime.predictor import Predictor

    original, calls = Predictor.predict, []

    def stopping(self: FilePredictor, source: str) -> Any:
        calls.append(source)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(self, source)  # type: ignore[arg-type]

    monkeypatch.setattr(Predictor, "predict", stopping)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        main(["evaluate", "toy.onnx", "--corpus", "own.jsonl", "--output", "out"])
    (partial,) = (folder / "out").glob(".partial*")
    assert len(partial.read_text().splitlines()) == 3
    done = calls[:2]
    calls[:] = [""] * 10
    emovox("toy.onnx", "--corpus", "own.jsonl", "--output", "out")
    evaluated = calls[10:12]
    assert not set(evaluated) & set(done)
    assert not partial.exists()


def test_a_broken_recording_is_listed_and_the_status_is_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "1.wav").write_text("no audio")
    emovox("toy.onnx", "--corpus", "own.jsonl", "--format", "json", status=1)
    captured = capsys.readouterr()
    (failure,) = json.loads(captured.out)["failures"]
    assert json.loads(captured.out)["latency"]["recordings"] == 3
    assert failure["error"]["code"] == "undecodable"
    assert json.loads(captured.out)["results"][0]["without_speech"] == 1
    assert "1.wav` could not be used and counts as wrong" in captured.err


def test_missing_speakers_cannot_be_independent(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(_predictions(right=2, speaker=""), folder / "own_own_si_tile.csv")
    emovox("--predictions", "own_own_si_tile.csv", status=1)
    assert "own_own_si_tile: 4 of 4 clips have no speaker" in capsys.readouterr().err
    emovox("--predictions", "own_own_si_tile.csv", "--protocol", "sd")
    assert "speaker-dependent (inflated)" in capsys.readouterr().out


def test_a_speaker_in_two_folds_cannot_be_independent(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(_predictions(right=2, speaker="ada"), folder / "mine.csv")
    emovox("--predictions", "mine.csv", "--protocol", "si", status=1)
    assert "speaker ada of own is tested in folds 1 and 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "got neither a model nor --predictions"),
        (["toy.onnx"], 2, "expected the corpora to run toy.onnx on"),
        (["toy.onnx", "--corpus", "own.jsonl", "--protocol", "best"], 2, "got 'best', expected one of si,"),
        (["nothing", "--corpus", "own.jsonl"], 1, "error: no model 'nothing'"),
        (["toy.onnx", "--corpus", "nowhere"], 1, "error: no corpus is called 'nowhere'"),
        (["toy.onnx", "--corpus", "nothing.jsonl"], 1, "error: nothing.jsonl: cannot be read"),
        (["--predictions", "nothing.csv"], 1, "error: nothing.csv: cannot be read (No such file"),
        (["--predictions", "svm.csv", "--corpus", "emodb"], 1, "error: svm.csv: got no clips of emodb"),
        (["out-of-nowhere/"], 1, "with NAME.json beside it, or a folder that emovox train has made"),
        (["empty"], 1, "error: empty: got a folder without predictions/*.csv"),
        (["run", "empty"], 1, "error: empty: got a folder without predictions/*.csv"),
        (["run", "nothing"], 2, "got 'nothing' among several, expected folders that emovox train has made"),
        (["run", "-"], 2, "got '-' among several"),
        (["run", "--corpus", "emodb"], 1, "error: run: got no clips of emodb"),
        (["toy.onnx", "--corpus", "own.jsonl", "--output", "0.wav"], 1, "error: 0.wav: cannot be made (File exists)"),
    ],
)
def test_wrong_usage_says_what_is_expected(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, message: str
) -> None:
    (folder / "empty").mkdir()
    emovox(*arguments, status=status)
    words = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert message in words


def test_two_files_of_one_name_keep_their_paths(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(_predictions(right=4), folder / "other" / "svm.csv")
    emovox("--predictions", "svm.csv", "--predictions", "other/svm.csv", "--format", "json")
    assert [found["name"] for found in document(capsys)["results"]] == ["svm", "other/svm"]


def test_what_is_missing_is_named_with_its_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("emovox.schema.extras.find_spec", lambda _: None)
    emovox("run", status=1)
    assert "emovox evaluate needs the extra 'evaluate': pip install 'emovox[evaluate]'" in capsys.readouterr().err


def test_a_report_is_not_written_over_its_predictions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "svm.csv").read_bytes()
    emovox("--predictions", "svm.csv", "--corpus", "own", "--output", "run/..", status=2)
    assert "got the folder of the predictions" in capsys.readouterr().err
    emovox("run", "--output", "run/predictions", status=2)
    assert (folder / "svm.csv").read_bytes() == before
