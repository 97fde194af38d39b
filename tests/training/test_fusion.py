"""Fusion: the weight of the words beside the voice, learnt on folds and told at the end."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.evaluation.figures.files import read_predictions
from emovox.fusion.text.emotion import TextEmotion
from emovox.schema.errors import RecipeError
from emovox.testing import RATE, speech, write_toy
from emovox.training.fusion import FusionMethod, FusionRecipe
from emovox.training.recipe import Data
from emovox.workflow import Watcher, train
from tests.corpora.trees import clip
from tests.training.tasks import clip_task

RECIPE = Path(__file__).parents[2] / "recipes" / "fusion.toml"
LABELS = ("happy", "sad")


class Words:
    """A text model that knows one word."""

    def scores(self, lines: list[str]) -> list[dict[str, float]]:
        return [dict(zip(LABELS, (1.0, 0.0) if "glad" in line else (0.0, 1.0), strict=True)) for line in lines]


class Saying(Watcher):
    """Keeps what a training says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve recordings of three speakers whose words, not voices, say the emotion; one has none."""
    monkeypatch.setattr(TextEmotion, "load", Words)
    rows = []
    for number in range(12):
        label, speaker = LABELS[number % 2], f"s{number % 3}"
        soundfile.write(tmp_path / f"{number}.wav", speech(100 + 10 * number, seconds=1.0), RATE)
        rows.append(
            (f"{number}.wav", label, speaker, "" if number == 5 else "so glad" if label == "happy" else "so bad")
        )
    with (tmp_path / "own.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "speaker", "sentence"), *rows])
    return tmp_path / "own.csv"


def test_a_recipe_learns_the_weight_and_says_how_to_predict_with_it(table: Path, tmp_path: Path) -> None:
    toy = write_toy(tmp_path, labels=LABELS)
    watcher = Saying()
    run = train(RECIPE, [f'voice="{toy}"', f'data.corpora=["{table}"]'], folder=tmp_path / "run", watcher=watcher)
    (path,) = (tmp_path / "run" / "predictions").glob("*_tile.csv")
    assert run.model is None
    rows = {row.utterance: row for row in read_predictions(path).rows()}
    assert [name for name, row in rows.items() if row.label != row.predicted] == ["5.wav"]  # it has no words
    assert watcher.said[-1].startswith(f"weights on all clips: emovox predict … --model {toy} --modalities voice,text=")
    chosen = json.loads((tmp_path / "run" / "folds" / "1.json").read_bytes())["chosen"]
    assert chosen["text"] > 0


def test_the_smallest_of_equal_weights_is_taken_and_a_missing_modality_counts_nothing() -> None:
    clips = [clip("own", number, f"s{number % 3}", LABELS[number % 2], "en") for number in range(12)]
    task = clip_task(clips, LABELS, spread=0.1)
    labels = np.array([LABELS.index(str(one.label)) for one in clips])
    voice = np.log(np.where(np.arange(2) == labels[:, None], 0.8, 0.2))
    method = FusionMethod(task, recipe(), {"voice": voice, "text": np.full((12, 2), np.nan)})
    assert method.weights(np.arange(12)) == {"text": 0.0}
    assert method.scores({"text": 2.0}, np.arange(12)) == pytest.approx(np.exp(voice))
    wrong = FusionMethod(task, recipe(), {"voice": voice[:, ::-1], "text": 2 * voice})
    assert wrong.weights(np.arange(12)) == {"text": 0.6}  # the first above a half, where the words win


def recipe() -> FusionRecipe:
    return FusionRecipe(name="fusion", data=Data(protocol="si"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('modalities=["smell"]', r"modalities is \['smell'\], expected some of face, text"),
        ("modalities=[]", r"modalities is \[\]"),
        ("export=true", "export is true, expected false"),
        ('conditions=["tilt"]', r"conditions is \['tilt'\], expected none"),
    ],
)
def test_values_out_of_range(change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        train(RECIPE, [change])


def test_clips_without_words_and_a_voice_with_other_labels(table: Path, tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text(
        "path,label,speaker\n" + "".join(f"{n}.wav,{LABELS[n % 2]},s{n % 3}\n" for n in range(12))
    )
    toy = write_toy(tmp_path, labels=LABELS)
    with pytest.raises(RecipeError, match="no clip has a sentence"):
        train(RECIPE, [f'voice="{toy}"', f'data.corpora=["{tmp_path / "bare.csv"}"]'], folder=tmp_path / "a")
    other = write_toy(tmp_path, name="other", labels=("happy", "angry"))
    with pytest.raises(RecipeError, match="the clips have sad, the model"):
        train(RECIPE, [f'voice="{other}"', f'data.corpora=["{table}"]'], folder=tmp_path / "b")
