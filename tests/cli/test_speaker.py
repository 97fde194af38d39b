"""A user teaches a model a voice, uses it, and deletes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emovox.audio.types import Samples
from emovox.cli.main import main
from emovox.testing import RATE, speech, write_toy

Run = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_toy(tmp_path)
    for name, pitches in {"a": (300.0, 1200.0), "b": (2400.0,), "call": (400.0, 900.0, 1800.0)}.items():
        soundfile.write(tmp_path / f"{name}.wav", talk(*pitches), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "text.wav").write_text("no sound")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOVOX_SPEAKERS", str(tmp_path / "speakers"))
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str, status: int = 0) -> str:
        with pytest.raises(SystemExit) as stop:
            main(list(arguments))
        found = capsys.readouterr()
        assert stop.value.code == status, found.err
        return found.out if status == 0 else found.out + found.err

    return call


def talk(*pitches: float) -> Samples:
    pause = np.zeros(RATE, np.float32)
    return np.concatenate([part for hz in pitches for part in (speech(hz, seconds=2.5), pause)])


def predicted(run: Run, *arguments: str) -> dict[str, Any]:
    text = run("predict", "call.wav", "--model", "toy.json", "--format", "json", *arguments)
    found: dict[str, Any] = json.loads(text)["results"][0]
    return found


def test_a_voice_is_learnt_used_moved_and_deleted(folder: Path, run: Run) -> None:
    assert "no speaker is known in" in run("speaker", "list")
    out = run("speaker", "learn", "ana", "a.wav", "b.wav", "--model", "toy.json")
    assert "3 without a label" in out
    assert "1 happy" in run("speaker", "learn", "ana", "b.wav", "--model", "toy.json", "--label", "happy")
    plain, adapted = predicted(run), predicted(run, "--speaker", "ana")
    assert adapted["adapted"]["source"] == "speaker ana"
    assert adapted["adapted"]["clips"] == 4
    assert adapted["plain_scores"] == pytest.approx(plain["scores"], abs=1e-3)
    assert adapted["scores"] != plain["scores"]
    assert predicted(run, "--source", "ana")["adapted"] == {"source": "source", "clips": 0, "seconds": 0.0}
    run("speaker", "export", "ana", "copy.speaker")
    assert "taken" in run("speaker", "import", "copy.speaker", "ana", status=1)
    run("speaker", "import", "copy.speaker", "bea")
    assert predicted(run, "--speaker", "bea")["scores"] == adapted["scores"]
    listed = json.loads(run("speaker", "list", "--format", "json"))
    assert [(one["name"], one["clips"]) for one in listed] == [("ana", 4), ("bea", 4)]
    assert str(folder / "speakers" / "ana.speaker") in run("speaker", "show", "ana")
    run("speaker", "delete", "ana")
    assert not (folder / "speakers" / "ana.speaker").exists()
    assert "no speaker 'ana'" in run("predict", "call.wav", "--model", "toy.json", "--speaker", "ana", status=1)


def test_a_head_is_taught_by_recordings_of_several_labels(folder: Path, run: Run) -> None:
    teach = ("--model", "toy.json", "--teach", "head", "--label")
    assert "expected one of neutral" in run("speaker", "learn", "us", "a.wav", *teach[:-1], status=1)
    out = run("speaker", "learn", "us", "a.wav", *teach, "sad")
    assert "is as shipped: too few labels or clips" in out
    assert "clips kept: 2 sad" in out
    out = run("speaker", "learn", "us", "b.wav", "call.wav", *teach, "fear")
    assert "head" in out
    assert "clips kept: 2 sad, 4 fear" in out
    shown = run("speaker", "show", "us")
    assert "clips kept: 2 sad, 4 fear" in shown
    plain, taught = predicted(run), predicted(run, "--speaker", "us")
    assert taught["adapted"]["source"] == "speaker us"
    assert taught["plain_scores"] == pytest.approx(plain["scores"], abs=1e-3)
    run("speaker", "delete", "us")
    assert not (folder / "speakers" / "us.speaker").exists()


def test_files_that_teach_nothing_are_named_and_the_others_learnt(folder: Path, run: Run) -> None:
    out = run("speaker", "learn", "ana", "silent.wav", "a.wav", "text.wav", "--model", "toy.json", status=1)
    assert "silent.wav: got no clear speech to learn from" in out
    assert "text.wav" in out
    assert "2 without a label" in out
    out = run("speaker", "learn", "bea", "silent.wav", "--model", "toy.json", status=1)
    assert "nothing was learnt of 'bea'" in out
    assert "expected at least 2" in run("speaker", "learn", "bea", "b.wav", "--model", "toy.json", status=1)
    assert "expected up to 64 letters" in run("speaker", "learn", "../x", "a.wav", "--model", "toy.json", status=1)
    assert "got the label 'bored'" in run(
        "speaker", "learn", "bea", "a.wav", "--label", "bored", "--model", "toy.json", status=1
    )
    assert [path.name for path in (folder / "speakers").glob("[!.]*")] == ["ana.speaker"]


def test_a_profile_of_another_model_and_a_damaged_one_are_refused(folder: Path, run: Run) -> None:
    run("speaker", "learn", "ana", "a.wav", "--model", "toy.json")
    write_toy(folder, name="other", sharpness=2.0)
    for command in (("speaker", "learn", "ana", "a.wav"), ("predict", "a.wav", "--speaker", "ana")):
        assert "the profile belongs to model 'toy'" in run(*command, "--model", "other.json", status=1)
    path = folder / "speakers" / "ana.speaker"
    path.write_bytes(path.read_bytes()[:99])
    assert "damaged" in run("speaker", "show", "ana", status=1)
    assert "damaged" in run("speaker", "list")
    assert "damaged" in run("speaker", "import", str(path), "bea", status=1)
    run("speaker", "delete", "ana")
    write_toy(folder, name="stiff", adapts=False)
    assert "cannot adapt" in run("speaker", "learn", "ana", "a.wav", "--model", "stiff.json", status=1)
    assert "cannot adapt" in run("predict", "a.wav", "--adapt", "recording", "--model", "stiff.json", status=1)


@pytest.mark.parametrize("adapt", ["recording", "channel", "folder"])
def test_recordings_adapt_to_themselves(folder: Path, run: Run, adapt: str) -> None:
    plain, adapted = predicted(run), predicted(run, "--adapt", adapt)
    assert adapted["adapted"]["source"] == adapt
    assert adapted["adapted"]["clips"] == len(plain["segments"])
    assert adapted["plain_scores"] == pytest.approx(plain["scores"], abs=1e-3)


def test_a_folder_is_adapted_together_and_bad_files_stay_rows(folder: Path, run: Run) -> None:
    text = run(
        "predict", "a.wav", "text.wav", "call.wav", "--adapt", "folder", "--model", "toy.json", "--format", "json",
        status=1,
    )  # fmt: skip
    first, bad, last = json.loads(text[: text.rindex("}") + 1])["results"]
    assert bad["error"]["code"] == "undecodable"
    assert first["adapted"] == last["adapted"]
    assert first["adapted"]["clips"] == len(first["segments"]) + len(last["segments"])
    out = run("predict", "a.wav", "--adapt", "folder", "--speaker", "ana", "--model", "toy.json", status=2)
    assert "whose voice is known already" in out
