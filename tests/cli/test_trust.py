"""`emovox evaluate --protocol trust`: a model, a user's function and a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from emovox.cli.main import main
from emovox.corpora.manifest import Clip, write_manifest
from emovox.evaluation.trust.sample import SIZES, Sizes
from emovox.testing import RATE, speech, write_toy
from emovox.workflow import train
from tests.commands import command
from tests.small_recipe import DATA, ENCODER
from tests.sounds import write_sounds

LABELS = ("low", "high")

RECIPE = """
kind = "network"
export = {export}
head = {{ hidden = 8 }}
augment = {{ noise = {{ probability = 0.5, source = "{noise}" }} }}
learning = {{ optimiser = {{ steps = 2, batch = 8 }} }}
head_learning = {{ optimiser = {{ steps = 2, batch = 8 }} }}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a model, 24 recordings of four speakers and a function."""
    write_toy(tmp_path, labels=LABELS)
    clips = []
    for number in range(24):
        path, label = tmp_path / f"{number}.wav", LABELS[number % 2]
        soundfile.write(path, speech((110.0, 1500.0)[number % 2], seconds=0.6, seed=number), RATE)
        speaker = f"s{number // 6}"
        clip = Clip(
            corpus="own", id=str(number), path=str(path), speaker=speaker, native=label, label=label, duration=0.6,
            sample_rate=RATE,
        )  # fmt: skip
        clips.append(clip)
    write_manifest(clips, tmp_path / "own.jsonl")
    (tmp_path / "theirs.py").write_text("def hear(samples, rate):\n    return 'low'\nhear.labels = ['low', 'high']\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOVOX_CACHE", str(tmp_path / "cache"))
    for name in ("EMOVOX_NOISE", "EMOVOX_CORPORA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(SIZES, "quick", Sizes(heard=24, changed=24, sounds=1, adapted=5, pitched=1))
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *arguments, "--protocol", "trust", "--quick"])
    return int(ended.value.code or 0)


def result(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(*arguments, "--format", "json") == 0
    return dict(json.loads(capsys.readouterr().out))


def test_a_model_is_tested_and_strict_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("toy.onnx", "--corpus", "own.jsonl", "--output", "out") == 0
    text = capsys.readouterr().out
    assert "testable tests are passed" in text
    assert "robustness    Does the label stay if the recording changes?" in text
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["trust.html", "trust.json", "trust.md"]
    found = json.loads((folder / "out" / "trust.json").read_text(encoding="utf-8"))
    assert (
        found["command"] == "emovox evaluate toy.onnx --protocol trust --corpus own.jsonl --output out --quick --seed 0"
    )
    assert run("toy.onnx", "--corpus", "own.jsonl", "--strict", "--resume") == 1


def test_a_function_of_the_user_is_tested(capsys: pytest.CaptureFixture[str]) -> None:
    found = {test["id"]: test for test in result(capsys, "theirs:hear", "--corpus", "own.jsonl")["tests"]}
    assert found["correctness.uar@own"]["value"] == 0.5
    assert found["correctness.precision.high@own"]["outcome"] == "not testable"  # twelve clips
    assert found["robustness.unchanged.white-20@all"]["outcome"] == "pass"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toy.onnx"], "expected the corpora to test toy.onnx on"),
        (["-", "--predictions", "x.csv"], "expected one model, run or"),
        (["toy.onnx", "--corpus", "own.jsonl", "--noise", "nowhere"], "expected a folder of noises"),
        (["toy.onnx", "--corpus", "own.jsonl", "--views"], "expected another: it has no views"),
    ],
)
def test_wrong_use_is_explained(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_other_errors_have_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("theirs:nothing", "--corpus", "own.jsonl") == 1
    assert "theirs:nothing: cannot be loaded" in capsys.readouterr().err
    (Path("empty")).mkdir()
    assert run("empty") == 1
    assert "not the folder of a run" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_an_error_before_any_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As is a cache folder; half an hour of work would be lost."""
    (folder / "noting.py").write_text("def hear(samples, rate):\n    open('asked', 'w')\n", encoding="utf-8")
    (folder / "own").write_bytes(b"mine")
    (folder / "out" / "trust.json").mkdir(parents=True)
    for output in ("own", "own/out", "out"):
        assert run("noting:hear", "--corpus", "own.jsonl", "--output", output) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {output}")
    monkeypatch.setenv("EMOVOX_CACHE", str(folder / "own"))
    assert run("noting:hear", "--corpus", "own.jsonl") == 1
    assert "the answers cannot be kept (Not a directory)" in capsys.readouterr().err
    assert not (folder / "asked").exists()
    assert (folder / "own").read_bytes() == b"mine"


def test_the_report_is_written_where_nobody_reads_standard_output(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("emovox.cli.trust.say", gone)
    assert run("toy.onnx", "--corpus", "own.jsonl", "--output", "out") == 1
    assert len(list((folder / "out").iterdir())) == 3


def test_options_of_the_suite_belong_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    command("evaluate", "toy.onnx", "--corpus", "own.jsonl", "--strict", status=2)
    assert "expected trust" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_is_tested_by_its_fold_models(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = folder / "noise"
    noise.mkdir()
    soundfile.write(noise / "hum.wav", speech(60.0, seconds=1.0), RATE)
    table = write_sounds(folder / "voices", takes=2)
    command("data", "index", "table", str(table), "--output", "own.jsonl")
    Path("tiny.toml").write_text(RECIPE.format(export="false", noise=noise) + DATA + ENCODER, encoding="utf-8")
    trained = train("tiny.toml", ["name=first"], workers=1)
    capsys.readouterr()
    found = result(capsys, str(trained.folder), "--noise", str(noise))
    assert found["corpora"] == {"own": "out of fold"}
    tests = {test["id"]: test for test in found["tests"]}
    assert tests["correctness.uar@own"]["n"] == 24
    assert tests["robustness.unchanged.white-20@all"]["outcome"] in ("pass", "fail")
    assert tests["robustness.unchanged.noise-20@all"]["why"].startswith("seen: training added noises of")
    assert len(list((folder / "cache" / "trust" / "folds").glob("*/first.onnx"))) == 4
    again = result(capsys, str(trained.folder), "--noise", str(noise), "--resume")
    assert again["tests"] == found["tests"]
    Path("voices").rename("elsewhere")
    silent = result(capsys, str(trained.folder))
    tests = {test["id"]: test for test in silent["tests"]}
    assert tests["correctness.uar@own"]["n"] == 24
    assert tests["robustness.unchanged.white-20@all"]["why"] == "there are no recordings of a corpus that counts"
