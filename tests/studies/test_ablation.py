"""The ablation: its table from CSVs, and the benchmark that makes these, on voices that do not exist."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.augment.config import Augment, Gain, rounds
from emovox.evaluation.figures import metrics
from emovox.evaluation.figures.files import read_predictions, write_figure, write_predictions
from emovox.evaluation.figures.predictions import Predictions
from emovox.schema.errors import PredictionsError, RecipeError
from emovox.schema.figure import FigureKey
from emovox.testing import RATE
from publish.ablation import CONDITIONS, Runs, ablation_table, model_of, read_runs
from studies import ablation
from tests.commands import command
from tests.small_recipe import DATA, ENCODER
from tests.sounds import write_sounds

RECIPE = """
kind = "network"
copies = { own = 1 }

[head]
hidden = 8

[augment]
gain = { probability = 0.5 }
noise = { probability = 0.5 }

[learning.optimiser]
batch = 8
[learning.mixup]
probability = 0.5

[head_learning.optimiser]
batch = 8
[head_learning.mixup]
probability = 0.5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Voices with their manifest, noises for training and for the test, and a recipe."""
    path = tmp_path_factory.mktemp("ablation")
    (path / "tiny.toml").write_text(RECIPE + DATA + ENCODER, encoding="utf-8")
    table = write_sounds(path / "voices", takes=1)
    command("data", "index", "table", str(table), "--output", str(path / "own.jsonl"))
    rng = np.random.default_rng(0)
    for name in ("learn", "nonspeech100"):
        (path / name).mkdir()
        soundfile.write(path / name / "hiss.wav", 0.1 * rng.standard_normal(RATE), RATE)
    return path


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("EMOVOX_CACHE", str(folder / "cache"))
    monkeypatch.setenv("EMOVOX_NOISE", str(folder))
    return folder


def ablate(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Run the benchmark, five steps a stage."""
    fixed = (
        "tiny.toml",
        "--steps",
        "5",
        "--learn",
        "learn",
        "--results",
        "results",
        "--workers",
        "1",
    )
    monkeypatch.setattr(sys, "argv", ["ablation.py", *fixed, *arguments])
    ablation.main()


def test_a_table_comes_of_two_folds(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ablate(monkeypatch, "--rows", "none,gain,mixup", "--seeds", "0", "--folds", "1,2")
    captured = capsys.readouterr()
    assert {
        path.relative_to(here / "results").as_posix() for path in (here / "results" / "ablation").rglob("*.csv")
    } == {
        f"{model_of(row, 0)}/own_own_si_{condition}.csv"
        for row in ("none", "gain", "mixup")
        for condition in CONDITIONS
    }
    lines = [line for line in captured.out.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| none", "| gain", "| mixup"]
    clean = read_predictions(here / "results" / model_of("gain", 0) / "own_own_si_tile.csv")
    assert set(clean.fold.tolist()) == {"1", "2"}
    assert len(clean) == 6
    assert f"{100 * metrics.uar(clean.label, clean.predicted):.1f}" in lines[3]

    done = time.time_ns()
    shutil.rmtree(here / "results")
    ablate(monkeypatch, "--rows", "none,gain,mixup", "--seeds", "0", "--folds", "1,2")
    again = capsys.readouterr()
    assert not [path for path in (here / "cache").rglob("log.csv") if path.stat().st_mtime_ns > done], "done is done"
    assert again.out == captured.out


def test_switches_are_those_of_the_recipe(here: Path) -> None:
    recipe = ablation._read(Path("tiny.toml"), [], 5)
    assert ablation.switches(recipe) == ("noise", "gain", "mixup")
    rows = ablation.chosen_rows(recipe, "", without=True)
    assert list(rows) == ["none", "noise", "gain", "mixup", "all", "without-noise", "without-gain", "without-mixup"]
    assert ablation.switches(rows["none"]) == ()
    assert ablation.switches(rows["without-noise"]) == ("gain", "mixup")
    assert rows["all"].augment == recipe.augment
    assert rows["gain"].copies == recipe.copies, "unchanged copies keep the balance of views"
    with pytest.raises(RecipeError, match=r"--rows has 'speed', expected some of none, noise, gain"):
        ablation.chosen_rows(recipe, "speed", without=False)


def test_tables_that_take_turns_are_switched_together(here: Path) -> None:
    tables = "augment=[{gain={probability=1}}, {noise={probability=1}, gain={probability=1}}]"
    recipe = ablation._read(Path("tiny.toml"), [tables], 5)
    assert ablation.switches(recipe) == ("noise", "gain", "mixup")
    louder = ablation.only(recipe, ("gain",)).augment
    assert louder == (Augment(gain=Gain(probability=1)),) * 2
    named = ablation.with_noises(recipe, "learn").augment
    assert [table.noise.source for table in rounds(named)] == ["learn", "learn"]


@pytest.mark.parametrize("learn", ["nonspeech100", "nonspeech100/below", "."])
def test_noises_of_the_test_are_not_learnt(here: Path, monkeypatch: pytest.MonkeyPatch, learn: str) -> None:
    with pytest.raises(RecipeError, match="expected separate folders"):
        ablate(monkeypatch, "--learn", learn)


def test_a_fold_that_there_is_not_is_refused(here: Path) -> None:
    recipe = ablation._read(Path("tiny.toml"), [], 5)
    with pytest.raises(RecipeError, match=r"folds \[9\], expected one corpus and folds of \[1, 2, 3, 4\]"):
        ablation.prepare(recipe, [9])


def runs_of(generated: Callable[..., Predictions], skills: dict[str, float], n: int = 300) -> Runs:
    """Two seeds of each row under one condition: the same clips, other answers."""
    base = generated(n)
    found = {}
    for row, skill in skills.items():
        made = [generated(n, skill=skill, seed=seed) for seed in (0, 1)]
        found[row, "tile"] = [
            Predictions.from_rows(
                [
                    here._replace(
                        label=there.label,
                        predicted=there.label if here.label == here.predicted else _other(there.label),
                    )
                    for here, there in zip(run.rows(), base.rows(), strict=True)
                ],
                base.classes,
            )
            for run in made
        ]
    return found


def _other(label: str) -> str:
    return "zen" if label != "zen" else "meh"


def test_rows_stand_against_none_and_all(generated: Callable[..., Predictions]) -> None:
    runs = runs_of(generated, {"without-b": 1.0, "all": 4.0, "b": 4.0, "a": 1.0, "none": 1.0})
    table = ablation_table(runs, draws=200)
    assert table.head == ("augmentation", "against", "seeds", "as they are: UAR", "difference")
    assert [row[:3] for row in table.rows] == [
        ("none", "–", "2"), ("a", "none", "2"), ("b", "none", "2"), ("all", "none", "2"), ("without b", "all", "2"),
    ]  # fmt: skip
    none, a, b, _, without = (row[4] for row in table.rows)
    assert none == "–"
    assert a.endswith("no detectable difference")
    assert b.startswith("+")
    assert b.endswith("better")
    assert without.endswith("worse")
    values = [metrics.uar(run.label, run.predicted) for run in runs["b", "tile"]]
    assert table.rows[2][3] == f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}"


def test_what_is_not_finished_is_said(generated: Callable[..., Predictions]) -> None:
    runs = {("none", "tile"): [generated(50)], ("a", "tile"): [generated(40)], ("a", "phone"): [generated(50)]}
    none, a = ablation_table(runs, draws=10).rows
    assert a[4] == "other clips so far"
    assert none[5:] == ("not run", "–")
    assert a[6] == "–"


def test_of_an_unfinished_row_the_full_seeds_count(tmp_path: Path, generated: Callable[..., Predictions]) -> None:
    for seed, n in ((0, 40), (1, 40), (2, 20)):
        write_figure(generated(n), FigureKey(model_of("none", seed), "own", "own", "si"), tmp_path)
    assert [len(run) for run in read_runs(tmp_path)["none", "tile"]] == [40, 40]
    write_predictions(generated(10), tmp_path / "ablation" / "none-seed0" / "mine.csv")
    with pytest.raises(PredictionsError, match=r"'mine': not the name of a figure"):
        read_runs(tmp_path)
