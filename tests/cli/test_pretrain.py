"""`emovox train` from voices to an encoder, and from the encoder to a model that says whose voices taught it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from emovox.corpora.voxceleb import VOXCELEB
from emovox.runtime.model import Model
from tests.commands import command as emovox
from tests.sounds import write_sounds, write_voxceleb

RECIPES = Path(__file__).parents[2] / "recipes"
SMALL = (
    "encoder.width=8",
    "encoder.blocks=2",
    "encoder.features=8",
    "encoder.frames={f0=false, hop=320}",
    "head.hidden=16",
    "learning.optimiser.batch=12",
)
NETWORK = """
kind = "network"
export = true

[data]
corpora = ["own.jsonl"]
protocol = "sd"

[encoder]
name = "mobile"
"""


def pretrain(*arguments: str, status: int = 0) -> None:
    steps = ("learning.optimiser.steps=40", "learning.stopping.every=20", "learning.optimiser.average=0.0")
    rest = ("learning.optimiser.learning_rate=0.02", "held_out=0.3", "--workers", "1", "--output", "voices")
    recipe = str(RECIPES / "pretrain-voxceleb.toml")
    emovox("train", recipe, "encoder.name=mobile", *SMALL, *steps, *rest, *arguments, status=status)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with voices in VoxCeleb's layout, recordings in three moods, and the encoder that learnt the voices."""
    folder = tmp_path_factory.mktemp("pretrain")
    write_voxceleb(folder / "corpora")
    write_sounds(folder / "moods")
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        pretrain()
    return folder


def enter(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    patch.setenv("EMOVOX_CACHE", str(folder / "cache"))
    patch.setenv("EMOVOX_CORPORA", str(folder / "corpora"))


@pytest.fixture
def here(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    enter(trained, monkeypatch)
    return trained


def test_it_says_how_well_voices_are_known(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (here / "voices" / "encoder.safetensors").read_bytes()
    pretrain("--resume")
    captured = capsys.readouterr()
    figures = re.fullmatch(
        r"4 speakers, 12 clips of held-out videos: accuracy (.+) %, UAR (.+) %, chance 25\.0 %\n", captured.out
    )
    assert figures is not None
    about = json.loads((here / "voices" / "encoder.json").read_bytes())
    assert [float(figure) for figure in figures.groups()] == [about["accuracy"], about["uar"]]
    assert about["accuracy"] > 50  # far above chance, for voices that are an octave apart
    assert "start from it with start=voices" in captured.err
    assert (here / "voices" / "encoder.safetensors").read_bytes() == before
    pretrain(status=1)
    assert "error: voices: holds a run already; continue it with --resume" in capsys.readouterr().err


def test_a_model_that_starts_from_it_names_its_corpora(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "moods.toml").write_text(NETWORK, encoding="utf-8")
    emovox("data", "index", "table", "moods/own.csv", "--output", "own.jsonl")
    changes = (*SMALL, "learning.optimiser.steps=2", "start=voices", "--workers", "1", "--output", "run")
    emovox("train", "moods.toml", *changes)
    card = Model.load(here / "run" / "moods.onnx").card
    assert [(corpus.name, corpus.speakers, corpus.clips) for corpus in card.corpora] == [
        ("own", 4, 24),
        ("voxceleb", 4, 24),
    ]
    assert card.licence_risk == f"voxceleb: {VOXCELEB.licence_risk}"
    assert card.licence.startswith("research, non-commercial")
    capsys.readouterr()
    emovox("train", "moods.toml", *changes, "encoder.width=16", "--output", "other", status=1)
    assert re.search(
        r'error: voices/encoder\.safetensors: got .*"width":8.*expected.*"width":16', capsys.readouterr().err
    )


def test_emotion_is_not_learnt_from_voices(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wrong.toml").write_text(NETWORK, encoding="utf-8")
    emovox("train", "wrong.toml", "data.corpora=['voxceleb']", "--output", "wrong", status=1)
    assert "expected a corpus of emotion" in capsys.readouterr().err
    pretrain("data.protocol=si", status=1)
    assert "Invalid enum value 'si'" in capsys.readouterr().err
