"""The baseline as a method: every test clip is scored once, by a model that has not heard its speaker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emovox.evaluation.figures.predictions import NO_ANSWER
from emovox.models.scores import softmax
from emovox.schema.errors import RecipeError
from emovox.training.cross_validation import masked_predictions
from emovox.training.data.task import task_folds
from emovox.training.data.views import TILE, WHOLE
from emovox.training.recipe import Data
from emovox.training.svm.fit import fit
from emovox.training.svm.method import SvmMethod
from emovox.training.svm.recipe import Augment
from emovox.training.svm.rows import Rows
from emovox.training.svm.task import SvmTask
from tests.training.tasks import cloud_task, small_recipe

JOINT = Data(corpora=("a.jsonl", "b.jsonl"), protocol="joint")


def without_speech(task: SvmTask, clip: int) -> SvmTask:
    """The same task, where no tile was found in a clip."""
    rows = task.rows
    kept = (rows.owner != clip) | (rows.view == WHOLE)
    return replace(task, rows=Rows(rows.values[kept], rows.owner[kept], rows.seconds[kept], rows.view[kept]))


def test_test_clips_are_scored_as_predict_would(tmp_path: Path) -> None:
    task, recipe = cloud_task(spread=0.1), small_recipe()
    fold = task_folds(task, recipe.data, seed=0)[1]
    scores = SvmMethod(task, recipe).fold(fold, tmp_path)
    fitted = fit(task, np.array(fold.train), recipe)
    assert scores.test.tolist() == list(fold.test)
    assert scores.chosen == {"c": fitted.choice.c, "gamma": fitted.choice.gamma, "inner_uar": fitted.choice.uar}
    assert scores.temperature == fitted.model.temperature
    clip = fold.test[5]
    rows = task.rows.select([clip], (TILE,))
    tiles = softmax(fitted.model.decisions(task.rows.values[rows].astype(np.float64)) / fitted.model.temperature)
    # tiles of 3 and 2 s
    np.testing.assert_allclose(scores.scores["tile"][5], (3 * tiles[0] + 2 * tiles[1]) / 5)
    np.testing.assert_allclose(scores.scores["tile"].sum(axis=1), 1)
    assert np.abs(scores.scores["tile"] - scores.scores["whole"]).max() > 0.01
    assert np.abs(scores.scores["tile"] - scores.scores["narrow"]).max() > 0.01


def test_predictions_cover_every_clip_once(tmp_path: Path) -> None:
    task, recipe = cloud_task(corpora=("a", "b"), takes=2), small_recipe(data=JOINT)
    folds = [SvmMethod(task, recipe).fold(fold, tmp_path) for fold in task_folds(task, JOINT, seed=0)]
    made = masked_predictions(task, folds, "b")
    assert sorted(made.utterance.tolist()) == sorted(one.id for one in task.clips if one.corpus == "b")
    assert set(made.corpus.tolist()) == {"b"}
    by_id = {one.id: one for one in task.clips if one.corpus == "b"}
    for row in made.rows():
        assert (row.label, row.speaker) == (by_id[row.utterance].label, by_id[row.utterance].speaker)
        assert row.scores is not None
        assert row.predicted == made.classes[int(np.argmax(row.scores))]
    assert (made.label == made.predicted).mean() > 0.9


def test_a_clip_without_speech_has_no_answer_but_a_whole(tmp_path: Path) -> None:
    recipe = small_recipe()
    task = without_speech(cloud_task(takes=2), 0)
    folds = [SvmMethod(task, recipe).fold(fold, tmp_path) for fold in task_folds(task, recipe.data, seed=0)]
    rows = {row.utterance: row for row in masked_predictions(task, folds, "own").rows()}
    assert len(rows) == len(task.clips)
    assert (rows["0"].predicted, rows["0"].scores) == (NO_ANSWER, None)
    whole = {row.utterance: row for row in masked_predictions(task, folds, "own", condition=WHOLE).rows()}
    assert whole["0"].scores is not None


def test_what_was_chosen_is_told(tmp_path: Path) -> None:
    task, recipe = cloud_task(takes=1), small_recipe()
    method = SvmMethod(task, recipe)
    scores = method.fold(task_folds(task, recipe.data, seed=0)[0], tmp_path)
    told = replace(scores, temperature=0.754, chosen={"c": 3.0, "gamma": 0.5, "inner_uar": 61.25})
    assert method.sentence(told) == "C 3, gamma 0.5 (UAR 61.2 on held-out training speakers), temperature 0.75"


def test_corpora_that_fit_no_clip_are_refused_at_once() -> None:
    with pytest.raises(RecipeError, match=r"augment\.corpora has ravdess, expected some of own"):
        SvmMethod(cloud_task(takes=1), small_recipe(augment=Augment(corpora=("ravdess",))))
