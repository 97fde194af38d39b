"""`emovox compress prune` and `distill`: smaller runs from a run, and mistakes that are one line before any work."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import msgspec
import pytest

from emovox.models.mobile import MobileConfig
from emovox.models.trained import TrainedModel
from emovox.runtime.model import Model
from emovox.training import loop
from tests.commands import command as emovox
from tests.models.small import small_encoders, write_whisper
from tests.sounds import MOODS, write_sounds
from tests.training.rows import small_recipe

RECIPE = """
kind = "network"
export = true
data = { corpora = ["own.jsonl"], protocol = "si" }
head = { hidden = 8 }
encoder = { name = "mobile", width = 8, blocks = 2, features = 16, frames = { f0 = false, mfcc = false } }

[learning]
stopping = { share = 0.3, every = 6 }
optimiser = { steps = 6, batch = 8, learning_rate = 0.01 }

[head_learning]
optimiser = { steps = 4, batch = 8, learning_rate = 0.01 }
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `mobile`, of three speakers."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch, mock.patch.object(loop, "save_figure"):
        patch.chdir(folder)
        patch.setenv("EMOVOX_CACHE", str(folder / "cache"))
        table = write_sounds(folder / "voices", takes=2)
        lines = table.read_text(encoding="utf-8").splitlines()
        table.write_text("\n".join(lines[: 1 + 3 * 2 * len(MOODS)]) + "\n", encoding="utf-8")
        emovox("data", "index", "table", str(table), "--output", "own.jsonl")
        Path("mobile.toml").write_text(RECIPE, encoding="utf-8")
        emovox("train", "mobile.toml", "--output", "mobile", "--workers", "1")
    return folder


@pytest.fixture
def there(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    monkeypatch.setenv("EMOVOX_CACHE", str(trained / "cache"))
    return trained


@pytest.mark.slow
def test_a_run_becomes_a_smaller_one_that_equals_a_training_of_its_recipe(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--keep", "0.5", "--multiple", "4", "--steps", "5", "--workers", "1")
    encoder = Path("mobile/folds/1/encoder/log.csv").read_bytes()
    with mock.patch.object(loop, "save_figure"):
        emovox("compress", "prune", "mobile", *options, "--output", "half")
        shown = capsys.readouterr().out
        Path("mobile-50.toml").write_text(RECIPE + "\n[prune]\nkeep = 0.5\nmultiple = 4\nsteps = 5\n", encoding="utf-8")
        emovox("train", "mobile-50.toml", "--output", "again", "--workers", "1")
    assert "parameters" in shown
    assert "UAR, own" in shown
    assert Path("mobile/folds/1/encoder/log.csv").read_bytes() == encoder
    for name in ("tile", "whole", "narrow", "speaker-norm"):
        one, other = (Path(run) / "predictions" / f"own_own_si_{name}.csv" for run in ("half", "again"))
        assert one.read_bytes() == other.read_bytes()
    found = TrainedModel.load(Path("half/folds/all/model"))
    assert isinstance(found.card.encoder, MobileConfig)
    assert (found.card.encoder.width, found.card.encoder.inner) == (4, 12)
    assert (
        Model.load(Path("half/mobile-50.onnx")).card.parameters < Model.load(Path("mobile/mobile.onnx")).card.parameters
    )
    report = json.loads(Path("half/compression.json").read_bytes())
    assert report["after"]["parameters"] < report["before"]["parameters"]
    assert report["after"]["multiply_adds"] < report["before"]["multiply_adds"]
    assert max(report["parity"].values()) < 1e-4
    assert f"{report['after']['uar']['own']:.1f}" in shown
    assert report["after"]["uar"]["own"] > 1  # in percent
    capsys.readouterr()
    emovox("compress", "prune", "mobile", *options, "--output", "half", status=1)
    assert "holds a run already; continue it with --resume" in capsys.readouterr().err


@pytest.mark.slow
def test_a_chain_is_pruned_and_learns_its_int8_form_in_one_recipe(there: Path) -> None:
    stages = "\n[prune]\nkeep = 0.5\nmultiple = 4\nsteps = 3\n\n[quantise]\nsteps = 2\nbatch = 4\nclips = 9\n"
    Path("chain.toml").write_text(RECIPE + stages, encoding="utf-8")
    with mock.patch.object(loop, "save_figure"):
        emovox("train", "chain.toml", "--output", "chain", "--workers", "1")
        emovox("compress", "quantize", "chain", "--train", "--output", "chain-int8.onnx")
    float32, int8 = (Model.load(Path(name)).card for name in ("chain/chain.onnx", "chain-int8.onnx"))
    assert float32.parameters == int8.parameters
    assert int8.quantisation is not None
    assert int8.quantisation.method == "trained"


@pytest.mark.slow
def test_a_student_learns_from_a_run_and_from_recordings_without_labels(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sounds(there / "others", takes=2)
    Path("pupil.toml").write_text(RECIPE.replace("width = 8", "width = 6"), encoding="utf-8")
    options = ("--recipe", "pupil.toml", "--unlabelled", "others", "--workers", "1")
    with mock.patch.object(loop, "save_figure"):
        emovox("compress", "distill", "mobile", *options, "teacher.share=0.7", "--output", "pupil")
    shown = capsys.readouterr().out
    assert "parameters" in shown
    assert Path("pupil/folds/1/teacher/targets.npz").exists()
    assert not Path("pupil/folds/1/teacher/encoder").exists()
    assert Model.load(Path("pupil/pupil.onnx")).card.corpora[0].name == "own"
    recipe = json.loads(Path("pupil/recipe.json").read_bytes())
    assert recipe["teacher"]["share"] == 0.7
    assert recipe["teacher"]["unlabelled"] == [str(there / "others")]
    large = RECIPE.replace("width = 8", "width = 16")
    Path("large.toml").write_text(large, encoding="utf-8")
    emovox("compress", "distill", "mobile", "--recipe", "large.toml", "--output", "large", status=1)
    assert "expected a student that is no larger" in capsys.readouterr().err


def test_a_teacher_that_is_no_run_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pupil.toml").write_text(RECIPE, encoding="utf-8")
    emovox("compress", "distill", "none", "--recipe", "pupil.toml", "--output", "pupil", status=1)
    assert "none', not the folder of a run" in capsys.readouterr().err
    assert not Path("pupil").exists()


def test_mistakes_are_one_line_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table = write_sounds(tmp_path / "voices", takes=1)
    emovox("data", "index", "table", str(table), "--output", "own.jsonl")
    recipe = msgspec.to_builtins(small_recipe(name="mobile"))
    frozen = small_encoders(write_whisper(tmp_path / "whisper"))["whisper"]
    for folder, changes in (
        ("mobile", {"head_learning": None}),
        ("svm", {"kind": "svm"}),
        ("accurate", {"encoder": msgspec.to_builtins(frozen), "head_learning": None}),
    ):
        Path(folder).mkdir()
        (Path(folder) / "recipe.json").write_text(json.dumps({**recipe, **changes}), encoding="utf-8")
    for run, keep, told in (
        ("mobile", "0", "mobile-0: prune.keep is 0.0, expected more than 0 and at most 1"),
        ("mobile", "1.5", "mobile-150: prune.keep is 1.5, expected more than 0 and at most 1"),
        ("none", "0.8", "none: not the folder of a run"),
        ("svm", "0.8", "svm: the run is of kind 'svm', which has no layers to prune, expected kind 'network'"),
        ("accurate", "0.8", "the encoder 'whisper' has no layers to prune, expected mobile or hybrid"),
        ("mobile", "0.8", "mobile: fold 1 is not finished; continue it with emovox train --resume"),
    ):
        capsys.readouterr()
        emovox("compress", "prune", run, "--keep", keep, "--output", "new", status=1)
        error = capsys.readouterr().err
        assert told in error
        assert "Traceback" not in error
    assert not Path("new").exists()
