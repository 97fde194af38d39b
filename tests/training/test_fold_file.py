"""A finished fold as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emovox.corpora.folds import Fold
from emovox.schema.errors import RecipeError
from emovox.training.cross_validation import FoldScores
from emovox.training.data.task import Task
from emovox.training.fold_file import SPEECH_KEPT, read_fold, write_fold
from tests.training.tasks import cloud_task

CLOSE = 1e-5
"""Six digits are written."""


def make_fold(task: Task) -> Fold:
    test = tuple(i for i, clip in enumerate(task.clips) if clip.speaker == "dee")
    train = tuple(i for i in range(len(task.clips)) if i not in test)
    return Fold(number=2, train=train, test=test, train_speakers=(), test_speakers=("own/dee",))


def make_scores(fold: Fold, *, speaker: bool = True) -> FoldScores:
    rng = np.random.default_rng(0)
    conditions = ("tile", "whole", "narrow", *(["speaker-norm"] if speaker else []))
    scores = {name: rng.dirichlet(np.ones(3), size=len(fold.test)) for name in conditions}
    scores["tile"][1] = np.nan  # no speech found
    return FoldScores(2, np.array(fold.test), scores, 1.25, {"uar": 61.5})


@pytest.mark.parametrize("speaker", [True, False])
def test_what_is_written_is_read(tmp_path: Path, speaker: bool) -> None:
    task = cloud_task()
    fold = make_fold(task)
    made = make_scores(fold, speaker=speaker)
    write_fold(tmp_path / "folds" / "2", task, made)
    found = read_fold(tmp_path / "folds" / "2", task, fold)
    assert found is not None
    np.testing.assert_array_equal(found.test, made.test)
    assert list(found.scores) == list(made.scores)
    for name, values in made.scores.items():
        np.testing.assert_allclose(found.scores[name], values, rtol=CLOSE)
    assert (found.number, found.temperature, found.chosen) == (2, 1.25, {"uar": 61.5})


def test_a_figure_that_was_not_measured_stays_so(tmp_path: Path) -> None:
    task = cloud_task()
    fold = make_fold(task)
    write_fold(tmp_path / "2", task, replace(make_scores(fold), chosen={"uar": np.nan}))
    found = read_fold(tmp_path / "2", task, fold)
    assert found is not None
    assert np.isnan(found.chosen["uar"])


def test_a_fold_is_done_again_until_its_model_tells_speech(tmp_path: Path) -> None:
    task = cloud_task()
    fold = make_fold(task)
    write_fold(tmp_path / "2", task, make_scores(fold))
    assert read_fold(tmp_path / "2", task, fold) is not None
    assert read_fold(tmp_path / "2", task, fold, speaks=True) is None
    write_fold(tmp_path / "2", task, replace(make_scores(fold), chosen={SPEECH_KEPT: 0.99}))
    assert read_fold(tmp_path / "2", task, fold, speaks=True) is not None


def test_clips_go_by_name_and_not_by_place(tmp_path: Path) -> None:
    task = cloud_task()
    fold = make_fold(task)
    made = make_scores(fold)
    write_fold(tmp_path / "2", task, made)
    turned = Fold(number=2, train=fold.train, test=fold.test[::-1], train_speakers=(), test_speakers=())
    found = read_fold(tmp_path / "2", task, turned)
    assert found is not None
    np.testing.assert_allclose(found.scores["whole"], made.scores["whole"][::-1], rtol=CLOSE)


def test_a_fold_without_its_second_file_is_not_done(tmp_path: Path) -> None:
    task = cloud_task()
    fold = make_fold(task)
    assert read_fold(tmp_path / "2", task, fold) is None
    write_fold(tmp_path / "2", task, make_scores(fold))
    (tmp_path / "2.json").unlink()
    assert read_fold(tmp_path / "2", task, fold) is None


@pytest.mark.parametrize(
    ("suffix", "damage", "message"),
    [
        (".json", lambda text: "{}", "not the scores of a fold"),  # noqa: ARG005
        (".json", lambda text: text[:9], "not the scores of a fold"),
        (".csv", lambda text: text[:-3] + "x\n", "not the scores of a fold"),
        (".csv", lambda text: "", "not the scores of a fold"),  # noqa: ARG005
        (".csv", lambda text: text.rsplit("\n", 4)[0] + "\n", "tests other clips"),
        (".csv", lambda text: text.replace("bored", "merry", 1), "expected the classes bored"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, suffix: str, damage: Callable[[str], str], message: str) -> None:
    task = cloud_task()
    fold = make_fold(task)
    write_fold(tmp_path / "2", task, make_scores(fold))
    file = tmp_path / f"2{suffix}"
    file.write_text(damage(file.read_text()))
    with pytest.raises(RecipeError, match=rf"2\.csv: .*{message}"):
        read_fold(tmp_path / "2", task, fold)
