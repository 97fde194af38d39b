"""Out-of-fold predictions: over the classes of a corpus, or over the labels of the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emovox.training.cross_validation import FoldScores, masked_predictions, merged_predictions
from emovox.training.data.task import Task
from tests.training.tasks import cloud_task


def fold_scores(task: Task, tiles: list[list[float]]) -> FoldScores:
    values = np.array(tiles)
    return FoldScores(1, np.arange(len(values)), {"tile": values}, 1.0, {})


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
