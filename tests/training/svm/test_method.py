"""The baseline as a method: every test clip is scored once, by a model that has not heard its speaker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from emovox.audio.reader import load_audio
from emovox.corpora.registry import index
from emovox.evaluation.figures.predictions import NO_ANSWER
from emovox.export.onnx import to_onnx
from emovox.models.scores import softmax
from emovox.runtime.segmenter import SegmenterConfig, cut_tiles
from emovox.schema.errors import RecipeError
from emovox.training.cross_validation import masked_predictions
from emovox.training.data.task import make_task, task_folds
from emovox.training.data.views import TILE, WHOLE
from emovox.training.recipe import Data
from emovox.training.stages.head import logits
from emovox.training.svm.fit import Fit
from emovox.training.svm.method import SvmMethod
from emovox.training.svm.recipe import Features, Svm
from tests.sounds import write_sounds
from tests.training.tasks import CloudTask, cloud_task, small_recipe

GRAPH = 1e-3
"""ONNX Runtime sums in another order; pitch and roll-off turn on comparisons."""

FLOAT = 1e-5
"""The head sums in float32, many rows at once or few."""

JOINT = Data(corpora=("a.jsonl", "b.jsonl"), protocol="joint")


def without_speech(task: CloudTask, clip: int) -> CloudTask:
    """The same task, where no tile was found in a clip."""
    inputs = task.inputs
    kept = (inputs.owner != clip) | (inputs.view == WHOLE)
    columns = ("owner", "seconds", "view", "file", "start", "length")
    return replace(task, inputs=replace(inputs, **{name: getattr(inputs, name)[kept] for name in columns}))


def test_test_clips_are_scored_as_predict_would(tmp_path: Path) -> None:
    task, recipe = cloud_task(spread=0.1), small_recipe()
    fold = task_folds(task, recipe.data, seed=0)[1]
    method = SvmMethod(task, task.inputs, recipe)
    scores, fitted = (
        method.fold(fold, tmp_path / "1"),
        Fit(task, task.inputs, method.values, np.array(fold.train), recipe).run(),
    )
    assert scores.test.tolist() == list(fold.test)
    assert scores.chosen == {"c": fitted.choice.c, "gamma": fitted.choice.gamma, "inner_uar": fitted.choice.uar}
    assert scores.temperature == fitted.temperature
    clip = fold.test[5]
    rows = task.inputs.select([clip], (TILE,))
    tiles = softmax(logits(fitted.network.head, method.values[rows]) / fitted.temperature)
    # tiles of 3 and 2 s
    np.testing.assert_allclose(scores.scores["tile"][5], (3 * tiles[0] + 2 * tiles[1]) / 5, rtol=FLOAT)
    np.testing.assert_allclose(scores.scores["tile"].sum(axis=1), 1)
    assert np.abs(scores.scores["tile"] - scores.scores["whole"]).max() > 0.01
    assert np.abs(scores.scores["tile"] - scores.scores["narrow"]).max() > 0.01


def test_predictions_cover_every_clip_once(tmp_path: Path) -> None:
    task, recipe = cloud_task(corpora=("a", "b"), takes=2), small_recipe(data=JOINT)
    folds = [SvmMethod(task, task.inputs, recipe).fold(fold, tmp_path) for fold in task_folds(task, JOINT, seed=0)]
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
    folds = [
        SvmMethod(task, task.inputs, recipe).fold(fold, tmp_path) for fold in task_folds(task, recipe.data, seed=0)
    ]
    rows = {row.utterance: row for row in masked_predictions(task, folds, "own").rows()}
    assert len(rows) == len(task.clips)
    assert (rows["0"].predicted, rows["0"].scores) == (NO_ANSWER, None)
    whole = {row.utterance: row for row in masked_predictions(task, folds, "own", condition=WHOLE).rows()}
    assert whole["0"].scores is not None


def test_what_was_chosen_is_told(tmp_path: Path) -> None:
    task, recipe = cloud_task(takes=1), small_recipe()
    method = SvmMethod(task, task.inputs, recipe)
    scores = method.fold(task_folds(task, recipe.data, seed=0)[0], tmp_path)
    told = replace(scores, temperature=0.754, chosen={"c": 3.0, "gamma": 0.5, "inner_uar": 61.25})
    assert method.sentence(told) == "C 3, gamma 0.5 (UAR 61.2 on held-out training speakers), temperature 0.75"


def test_corpora_that_fit_no_clip_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="copies has ravdes, expected some of own"):
        SvmMethod.prepared(cloud_task(takes=1), small_recipe(copies={"ravdes": 1}), folder=tmp_path)
    with pytest.raises(RecipeError, match="whole has ravdes, expected some of own"):
        SvmMethod.prepared(cloud_task(takes=1), small_recipe(whole=("ravdes",)), folder=tmp_path)


def test_what_is_learnt_from_is_what_the_graph_computes(tmp_path: Path) -> None:
    clips = index("table", write_sounds(tmp_path / "voices", takes=1))
    recipe = small_recipe(features=Features(), svm=Svm(c=(3.0,), gamma=(0.5,), inner_folds=2), copies={"own": 1})
    task = make_task(clips, recipe.data)
    method = SvmMethod.prepared(task, recipe, folder=tmp_path, workers=1)
    fitted = method.fit(np.arange(len(clips)), tmp_path)
    graph = fitted.recogniser().eval()
    session = onnxruntime.InferenceSession(to_onnx(graph, labels=task.classes, metadata="{}"))
    for clip in (0, 7):
        samples = load_audio(clips[clip].path)[0][0]
        (tile,) = cut_tiles([samples], SegmenterConfig())
        (row,) = method.inputs.select([clip])
        (found,) = session.run(["statistics"], {"samples": tile.samples[None]})
        np.testing.assert_allclose(method.values[row], graph.encoder(torch.from_numpy(tile.samples)[None])[0], atol=0)
        np.testing.assert_allclose(found[0], method.values[row], rtol=GRAPH, atol=GRAPH)
