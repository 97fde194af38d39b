"""One call from a recipe to a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emovox.augment.conditions import CHANGES
from emovox.schema.errors import RecipeError
from emovox.schema.figure import CONDITIONS, FigureKey
from emovox.training.run import Run
from emovox.workflow import KINDS, Watcher, read_recipe, train
from tests.commands import command
from tests.small_recipe import DATA, ENCODER
from tests.sounds import write_sounds

RECIPE = """
kind = "network"
copies = { own = 1 }
head = { hidden = 8 }
learning = { optimiser = { steps = 2, batch = 8 } }
head_learning = { optimiser = { steps = 2, batch = 8 } }
conditions = ["phone", "hush"]
"""


class Listening(Watcher):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.sentences, self.folds = list[str](), list[int]()

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def fold(self, done: int, total: int, sentence: str) -> None:  # noqa: ARG002
        self.folds.append(done)


def test_a_recipe_becomes_a_run_in_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOVOX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(CONDITIONS, "hush", "20 dB quieter")
    monkeypatch.setitem(CHANGES, "hush", lambda samples, *_: 0.1 * samples)
    table = write_sounds(tmp_path / "voices", takes=1)
    command("data", "index", "table", str(table), "--output", "own.jsonl")
    Path("tiny.toml").write_text(RECIPE + DATA + ENCODER, encoding="utf-8")
    watcher = Listening()
    run = train("tiny.toml", ["name=first"], workers=1, watcher=watcher)
    assert run.folder == tmp_path / "cache" / "runs" / "first"
    assert watcher.sentences[:2] == ["12 clips, 3 classes: bored, cross, keen", "4 folds to train"]
    assert watcher.folds == [1, 2, 3, 4]
    key = FigureKey("first", "own", "own", "si")
    assert {key.condition for key in run.predictions} == {"tile", "whole", "narrow", "phone", "hush", "speaker-norm"}
    assert replace(key, condition="hush").words == "speaker-independent, 20 dB quieter"
    assert len(run.predictions[key]) == 12
    assert run.model is None
    again = Run.load(run.folder)
    assert (again.temperatures, set(again.predictions)) == (run.temperatures, set(run.predictions))
    with pytest.raises(RecipeError, match="holds a run already; continue it with --resume"):
        train(read_recipe(Path("tiny.toml"), ["name=first"]))
    resumed = train("tiny.toml", ["name=first"], resume=True)
    assert resumed.predictions[key].predicted.tolist() == run.predictions[key].predicted.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_names_its_structure(kind: str) -> None:
    assert KINDS[kind]().struct.__struct_fields__
