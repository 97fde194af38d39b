"""The recipe for one more language, on generated voices: from a table to a model that predicts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emovox.cli.main import main
from emovox.evaluation.figures.files import read_predictions
from tests.models.small import write_whisper
from tests.sounds import MOODS, write_sounds

ROOT = Path(__file__).parents[2]
SMALL = (
    "encoder.weights=whisper", "encoder.blocks=2", "encoder.frozen=2", "head.hidden=8", "members=1", "copies.own=1",
    "head_learning.optimiser.steps=4", "augment.noise.probability=0", "augment.room.probability=0", "labels=[]",
    'data.corpora=["known.csv"]',
)  # fmt: skip
"""What makes the recipe small, and takes two tables in place of published corpora."""


@pytest.mark.slow
def test_clips_of_a_new_language_join_those_that_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOVOX_CACHE", str(tmp_path / "cache"))
    write_whisper(tmp_path / "whisper")
    head, *rows = write_sounds(tmp_path, takes=1).read_text(encoding="utf-8").splitlines()
    for name, speakers in (("known", ("ada", "bob")), ("mine", ("cy", "dee"))):
        lines = [head, *(row for row in rows if row.endswith(speakers))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(SystemExit) as stop:
        main(
            (
                "train",
                str(ROOT / "recipes/adapt-language.toml"),
                *SMALL,
                "--with",
                "mine.csv",
                "--output",
                "run",
                "--workers",
                "1",
            )
        )
    assert not stop.value.code, capsys.readouterr().err
    mine = read_predictions(tmp_path / "run/predictions/mine_own_joint_tile.csv")
    assert set(mine.speaker.tolist()) == {"cy", "dee"}
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(("predict", "cy-keen-0.wav", "--model", "run", "--format", "json"))
    assert not stop.value.code
    assert set(json.loads(capsys.readouterr().out)["results"][0]["scores"]) == set(MOODS)
