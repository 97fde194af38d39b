"""Out-of-fold predictions: every clip once, by a model that has not heard its speaker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emovox.evaluation.predictions import NO_ANSWER
from emovox.models.svm import softmax
from emovox.training.cross_validation import FoldScores, masked_predictions, merged_predictions, run_fold
from emovox.training.fit import fit
from emovox.training.recipe import Data
from emovox.training.rows import Rows
from emovox.training.task import Task, task_folds
from emovox.training.views import TILE, WHOLE
from tests.training.tasks import cloud_task, small_recipe

JOINT = Data(corpora=("a.jsonl", "b.jsonl"), protocol="joint")


def without_speech(task: Task, clip: int) -> Task:
    """The same task, where no tile was found in a clip."""
    rows = task.rows
    kept = (rows.owner != clip) | (rows.view == WHOLE)
    return replace(task, rows=Rows(rows.values[kept], rows.owner[kept], rows.seconds[kept], rows.view[kept]))


def fold_scores(task: Task, tiles: list[list[float]]) -> FoldScores:
    values = np.array(tiles)
    return FoldScores(1, np.arange(len(values)), values, values[::-1], values, 1.0, 0.5, 1.0, 50.0)


def test_test_clips_are_scored_as_predict_would() -> None:
    task, recipe = cloud_task(spread=0.1), small_recipe()
    fold = task_folds(task, recipe.data, seed=0)[1]
    scores = run_fold(task, fold, recipe)
    fitted = fit(task, np.array(fold.train), recipe)
    assert scores.test.tolist() == list(fold.test)
    assert (scores.c, scores.temperature) == (fitted.choice.c, fitted.model.temperature)
    clip = fold.test[5]
    rows = task.rows.select([clip], (TILE,))
    tiles = softmax(fitted.model.decisions(task.rows.values[rows].astype(np.float64)) / fitted.model.temperature)
    # tiles of 3 and 2 s
    np.testing.assert_allclose(scores.tile[5], (3 * tiles[0] + 2 * tiles[1]) / 5)
    np.testing.assert_allclose(scores.tile.sum(axis=1), 1)
    assert np.abs(scores.tile - scores.whole).max() > 0.01
    assert np.abs(scores.tile - scores.narrow).max() > 0.01


def test_predictions_cover_every_clip_once() -> None:
    task, recipe = cloud_task(corpora=("a", "b"), takes=2), small_recipe(data=JOINT)
    folds = [run_fold(task, fold, recipe) for fold in task_folds(task, JOINT, seed=0)]
    made = masked_predictions(task, folds, "b")
    assert sorted(made.utterance.tolist()) == sorted(one.id for one in task.clips if one.corpus == "b")
    assert set(made.corpus.tolist()) == {"b"}
    by_id = {one.id: one for one in task.clips if one.corpus == "b"}
    for row in made.rows():
        assert (row.label, row.speaker) == (by_id[row.utterance].label, by_id[row.utterance].speaker)
        assert row.scores is not None
        assert row.predicted == made.classes[int(np.argmax(row.scores))]
    assert (made.label == made.predicted).mean() > 0.9


def test_a_clip_without_speech_has_no_answer_but_a_whole() -> None:
    recipe = small_recipe()
    task = without_speech(cloud_task(takes=2), 0)
    folds = [run_fold(task, fold, recipe) for fold in task_folds(task, recipe.data, seed=0)]
    rows = {row.utterance: row for row in masked_predictions(task, folds, "own").rows()}
    assert len(rows) == len(task.clips)
    assert (rows["0"].predicted, rows["0"].scores) == (NO_ANSWER, None)
    whole = {row.utterance: row for row in masked_predictions(task, folds, "own", view=WHOLE).rows()}
    assert whole["0"].scores is not None


def test_classes_that_the_corpus_lacks_are_masked() -> None:
    task = cloud_task(labels=("angry", "calm", "happy"), speakers=("ada",), takes=1)
    task = replace(task, allowed=np.array([[True, False, True]] * 3))
    made = masked_predictions(task, [fold_scores(task, [[0.2, 0.7, 0.1], [0, 0.5, 0.5], [0.1, 0.6, 0.3]])], "own")
    assert made.classes == ("angry", "happy")
    # the second clip is calm, which this corpus is said not to have
    np.testing.assert_allclose(made.scores, np.array([[2 / 3, 1 / 3], [0.25, 0.75]]))


def task_of(*labels: str) -> Task:
    return cloud_task(labels=labels, speakers=("ada",), takes=1)


def test_calm_counts_as_neutral_and_boredom_is_left_out() -> None:
    task = task_of("boredom", "calm", "happy", "neutral")
    scores = fold_scores(task, [[0.7, 0.1, 0.1, 0.1], [0.0, 0.3, 0.4, 0.3], [0.5, 0.0, 0.4, 0.1], [0.2, 0.2, 0.2, 0.4]])
    made = merged_predictions(task, [scores], "own", ("neutral", "happy"))
    assert made.label.tolist() == ["neutral", "happy", "neutral"]
    assert made.predicted.tolist() == ["neutral", "happy", "neutral"]
    np.testing.assert_allclose(made.scores, [[0.6, 0.4], [0.2, 0.8], [0.75, 0.25]])


def test_a_label_of_ones_own_is_not_merged_away() -> None:
    task = task_of("boredom", "calm", "happy")
    scores = fold_scores(task, [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]])
    made = merged_predictions(task, [scores], "own", ("boredom", "calm", "happy"))
    assert made.label.tolist() == made.predicted.tolist() == ["boredom", "calm", "happy"]


def test_a_class_without_a_label_is_an_error() -> None:
    task = task_of("cross", "keen", "odd")
    with pytest.raises(ValueError, match="class 'odd' maps to 'odd', expected one of cross, keen"):
        merged_predictions(task, [], "own", ("cross", "keen"))
