"""`emovox train` of networks: from recordings to a model that predicts, killed and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.benchmark.end_to_end import front_end_share
from emovox.evaluation.figures.files import read_predictions
from emovox.export.network import export_network
from emovox.models.trained import TrainedModel
from emovox.runtime.model import Model
from emovox.testing import RATE
from emovox.training.run import Run
from emovox.training.run_folder import model_folder
from tests.cli import dying
from tests.commands import command as emovox
from tests.models.small import write_whisper
from tests.sounds import MOODS, utterance, write_sounds

LABELS = tuple(sorted(MOODS))

RECIPE = """
kind = "network"
export = true
{data}

[head]
hidden = 16
dropout_in = 0.1
dropout = 0.1

[copies]
own = 1

[augment]
gain = {{ probability = 1.0, low_db = -6.0, high_db = 6.0 }}

[encoder]
{encoder}

[learning]
checkpoint_seconds = 0.0
stopping = {{ share = {share}, every = 30 }}
optimiser = {{ steps = {steps}, batch = 16, learning_rate = 0.01 }}

[head_learning]
checkpoint_seconds = 0.0
optimiser = {{ steps = 15, batch = 16, learning_rate = 0.01 }}
"""
DATA = '[data]\ncorpora = ["own.jsonl"]\nprotocol = "si"'

MOBILE = """name = "mobile"
width = 8
blocks = 2
features = 16
frames = { f0 = false, mfcc = false }"""
FROZEN = 'name = "whisper"\nweights = "whisper"\nblocks = 2\nfrozen = 2\nviews = ["output", "hidden"]'
LEARNING = 'name = "whisper"\nweights = "whisper"\nblocks = 2\nfrozen = 1\nattention = 4'


def recordings(folder: Path, *, speakers: int, takes: int) -> None:
    """Voices of so many speakers, their manifest, and a Whisper folder."""
    table = write_sounds(folder / "voices", takes=takes)
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join(lines[: 1 + speakers * takes * len(MOODS)]) + "\n", encoding="utf-8")
    write_whisper(folder / "whisper")
    emovox("data", "index", "table", str(table), "--output", str(folder / "own.jsonl"))


def recipe(name: str, encoder: str, *, share: float = 0.0, steps: int = 3) -> str:
    Path(f"{name}.toml").write_text(RECIPE.format(data=DATA, encoder=encoder, share=share, steps=steps), "utf-8")
    return f"{name}.toml"


def train(name: str, *more: str, output: str = "") -> Path:
    emovox("train", name, "--output", output or Path(name).stem, "--workers", "1", *more)
    return Path(output or Path(name).stem)


def predictions(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((run / "predictions").iterdir())}


def predicted(model: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """The scores of a take that was not trained on."""
    soundfile.write("new.wav", utterance("cross", "bob", 9), RATE)
    capsys.readouterr()
    emovox("predict", "new.wav", "--model", str(model), "--format", "json")
    (row,) = json.loads(capsys.readouterr().out)["results"]
    scores: dict[str, float] = row["scores"]
    return scores


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mobile network trained on four speakers, as `mobile` in this folder."""
    folder = tmp_path_factory.mktemp("four")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("EMOVOX_CACHE", str(folder / "cache"))
        recordings(folder, speakers=4, takes=2)
        train(recipe("mobile", MOBILE, share=0.3, steps=30))
    return folder


@pytest.fixture
def trained(voices: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(voices)
    monkeypatch.setenv("EMOVOX_CACHE", str(voices / "cache"))
    return Path("mobile")


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOVOX_CACHE", str(tmp_path / "cache"))
    recordings(tmp_path, speakers=2, takes=1)
    return tmp_path


def test_the_run_holds_predictions_logs_and_the_model(trained: Path) -> None:
    names = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    assert {f"predictions/own_own_si_{name}.csv" for name in ("tile", "whole", "narrow", "speaker-norm")} <= names
    assert {"recipe.json", "versions.json", "mobile.onnx", "mobile.json", "folds/2/encoder/log.csv"} <= names
    assert {f"folds/{fold}/head/curves.png" for fold in ("1", "2", "3", "4", "all")} <= names
    assert not [name for name in names if ".part" in name or "draft" in name]
    made = read_predictions(trained / "predictions" / "own_own_si_tile.csv")
    assert made.classes == LABELS
    assert len(made) == 24
    assert (made.label == made.predicted).mean() > 0.6  # chance is 0.33
    about = json.loads((trained / "versions.json").read_text())
    assert {"torch", "lightning-fabric", "emovox"} <= set(about)


def test_the_exported_network_predicts(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = predicted(trained / "mobile.onnx", capsys)
    assert tuple(scores) == LABELS
    assert max(scores, key=scores.__getitem__) == "cross"
    card = Model.load(trained / "mobile.onnx").card
    assert card.adaptable
    assert card.temperature != 1
    assert [(figure.corpus, figure.protocol) for figure in card.figures] == [("own", "si")]


def test_front_end_and_network_of_the_graph_are_told_apart(trained: Path) -> None:
    share = front_end_share(trained / "mobile.onnx", np.zeros((1, 3 * RATE), np.float32), runs=5)
    assert share is not None
    assert 0 < share < 1


def test_a_second_run_is_refused_and_resume_changes_nothing(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (trained / "folds").rglob("*")}
    emovox("train", "mobile.toml", "--output", "mobile", status=1)
    assert "holds a run already; continue it with --resume" in capsys.readouterr().err
    emovox("train", "mobile.toml", "seed=4", "--output", "mobile", "--resume", "--workers", "1", status=1)
    assert "holds a run of another recipe" in capsys.readouterr().err
    known = predictions(trained)
    train("mobile.toml", "--resume")
    assert predictions(trained) == known
    folds = {path: path.stat().st_mtime_ns for path in (trained / "folds").iterdir() if path.is_file()}
    assert folds == {path: before[path] for path in folds}


def test_mistakes_are_one_line_before_any_work(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = recipe("slip", MOBILE)
    for change, told in (
        ("copies={owm=1}", "slip: copies has owm, expected some of own"),
        ("encoder.width=0", "slip.toml: mobile: got width = 0"),
        ("encoder={name='whisper', weights='none'}", "none: no config.json in"),
        ("augment.noise={probability=1.0, source='empty'}", "empty"),
        ("learning.stopping={share=0.2, least=3}", "stopping.least is 3, expected at most the training speakers"),
        ("labels=['happy', 'sad']", "labels: class 'bored' maps to 'bored', expected one of happy, sad"),
    ):
        capsys.readouterr()
        emovox("train", name, change, "--output", "slip", "--workers", "1", status=1)
        error = capsys.readouterr().err
        assert told in error
        assert "Traceback" not in error
    assert not (two / "slip").exists()
    assert not (two / "cache").exists()  # no inputs were computed


def test_whisper_frozen_killed_in_a_fold_goes_on(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three heads of a fold are judged on clips held out, the fourth is used; fold 2 dies in its last one."""
    name = recipe("frozen", FROZEN)
    whole = train(name)
    root = Path(dying.__file__).parents[2]
    command = [sys.executable, "-m", "tests.cli.dying", str(2 * 4 * 15 - 4), "train", name, "--output", "killed"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join((str(root), str(root / "src")))}
    done = subprocess.run([*command, "--workers", "1"], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept = {path: path.stat().st_mtime_ns for path in Path("killed/folds").iterdir() if path.is_file()}
    assert {path.name[0] for path in kept} == {"1"}
    assert not Path("killed/predictions").exists()
    train(name, "--resume", output="killed")
    assert predictions(Path("killed")) == predictions(whole)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert Path("killed/frozen.onnx").read_bytes() == Path("frozen/frozen.onnx").read_bytes()
    scores = predicted(whole / "frozen.onnx", capsys)
    assert sum(scores.values()) == pytest.approx(1, abs=1e-4)


def test_whisper_with_a_block_that_learns(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(recipe("learning", LEARNING), "copies.own=0")
    said = capsys.readouterr().err
    assert "no speaker held out, so the scores are not calibrated" in said
    assert "note: no [copies] of own, so [augment] changes nothing there" in said
    assert len(read_predictions(run / "predictions" / "own_own_si_speaker-norm.csv")) == 6
    assert set(predicted(run / "learning.onnx", capsys)) == set(LABELS)
    assert Model.load(run / "learning.onnx").card.temperature == 1


def test_a_frozen_whisper_teaches_a_mobile_network(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe("large", FROZEN)
    told = ("teacher.recipe=large.toml", "learning.loss.hint=1.0", "teacher.recipe.copies.own=0")
    taught = train(recipe("pupil", MOBILE), *told)
    assert "note: no [teacher.recipe.copies] of own" in capsys.readouterr().err
    alone = train("pupil.toml", output="alone")
    cards = [Model.load(run / "pupil.onnx").card for run in (taught, alone)]
    assert cards[0].parameters == cards[1].parameters  # what guessed the hints is gone
    assert cards[0].recipe_sha256 != cards[1].recipe_sha256
    assert predictions(taught)["own_own_si_tile.csv"] != predictions(alone)["own_own_si_tile.csv"]
    assert {path.name for path in (taught / "folds" / "1").iterdir()} == {"encoder", "head", "model", "teacher"}


def test_the_run_folder_stands_for_its_model(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predicted(trained.resolve(), capsys) == predicted(trained / "mobile.onnx", capsys)


def test_a_network_is_exported_again_from_its_folder_alone(trained: Path, tmp_path: Path) -> None:
    run = Run.load(trained)
    again = Model.load(export_network(run, tmp_path))
    assert again.card == Model.load(trained / "mobile.onnx").card
    assert run.model is not None
    assert run.model.card.fold is None
    folds = [TrainedModel.load(model_folder(trained, number)).card for number in range(1, 5)]
    assert [card.fold for card in folds] == [1, 2, 3, 4]
    assert tuple(card.temperature for card in folds) == pytest.approx(run.temperatures)
