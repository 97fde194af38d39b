"""The small CSVs of results/: clips once, scores in percent with few digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emovox.evaluation.figures import metrics
from emovox.evaluation.figures.files import read_predictions, write_figure
from emovox.evaluation.figures.predictions import COLUMNS, Predictions
from emovox.schema.errors import PredictionsError
from emovox.schema.figure import FigureKey

KEY = FigureKey("toy", "own", "own", "si")


def test_what_is_written_is_read(tmp_path: Path, hand_made: Predictions) -> None:
    path = write_figure(hand_made, KEY, tmp_path)
    assert path == tmp_path / "toy" / "own_own_si_tile.csv"
    assert path.read_text().splitlines()[1:3] == ["predicted,zen,hangry,meh", "zen,80,10,10"]
    made = read_predictions(path)
    for name in COLUMNS:
        assert getattr(made, name).tolist() == getattr(hand_made, name).tolist()
    np.testing.assert_allclose(made.scores, hand_made.scores)


@pytest.mark.parametrize("condition", ["tile", "whole"])
def test_few_digits_keep_labels_and_the_highest_score(
    tmp_path: Path, generated: Callable[..., Predictions], condition: str
) -> None:
    made = generated(500)
    found = read_predictions(write_figure(made, replace(KEY, condition=condition), tmp_path))
    assert found.predicted.tolist() == made.predicted.tolist()
    assert found.scores.argmax(axis=1).tolist() == made.scores.argmax(axis=1).tolist()
    np.testing.assert_allclose(
        found.scores.max(axis=1), made.scores.max(axis=1), rtol=5e-6 if condition == "tile" else 1e-3
    )
    np.testing.assert_allclose(found.scores, made.scores, atol=0.006)
    assert metrics.values(found)["ece"] == pytest.approx(metrics.values(made)["ece"], abs=2e-3)


def test_conditions_and_models_share_a_list_of_clips(tmp_path: Path, generated: Callable[..., Predictions]) -> None:
    for key in (KEY, replace(KEY, condition="whole"), replace(KEY, model="study/row")):
        assert len(read_predictions(write_figure(generated(30), key, tmp_path))) == 30
    assert [path.name for path in (tmp_path / "identity").iterdir()] == ["own_own_si.csv"]


def test_other_clips_have_a_list_of_their_own(tmp_path: Path, generated: Callable[..., Predictions]) -> None:
    write_figure(generated(30), KEY, tmp_path)
    fewer = write_figure(generated(20), replace(KEY, model="other"), tmp_path)
    assert (len(read_predictions(fewer)), len(list((tmp_path / "identity").iterdir()))) == (20, 2)


def test_a_list_of_other_clips_is_noticed(tmp_path: Path, generated: Callable[..., Predictions]) -> None:
    path = write_figure(generated(30), KEY, tmp_path)
    listing = tmp_path / "identity" / "own_own_si.csv"
    listing.write_text(listing.read_text().replace("own-3,", "own-33,"))
    with pytest.raises(PredictionsError, match=r"si_tile.csv: line 1: its clips have the crc32 .* expected the same"):
        read_predictions(path)
    listing.unlink()
    with pytest.raises(PredictionsError, match=r"own_own_si.csv: cannot be read"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("scores in percent", "scores", "line 1: got '# scores; rows"),
        ("predicted,", "label,", "line 2, column 1: got 'label', expected 'predicted'"),
        ("\nzen,80,", "\nzen,180,", r"line 3, column 'zen': got 180, expected a probability from 0 to 100"),
        ("\nzen,80,10,10", "", "got 7 rows, expected 8, one for each listed clip"),
    ],
)
def test_damage_is_named(tmp_path: Path, hand_made: Predictions, old: str, new: str, message: str) -> None:
    path = write_figure(hand_made, KEY, tmp_path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(PredictionsError, match=message):
        read_predictions(path)
