"""A fold of a network: its test clips scored as `predict` would, in four views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import numpy as np
import pytest

from emovox.corpora.folds import Fold
from emovox.evaluation.figures.predictions import NO_ANSWER
from emovox.models.scores import softmax
from emovox.models.trained import TrainedModel
from emovox.schema.errors import CorpusError, ProtocolError, RecipeError
from emovox.schema.figure import FigureKey
from emovox.training import loop
from emovox.training.cross_validation import FoldScores, masked_predictions
from emovox.training.data.inputs import Inputs
from emovox.training.data.statistics import pooled
from emovox.training.data.task import Task, task_folds
from emovox.training.held_out import clip_means
from emovox.training.network import NetworkMethod
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.plan import Adversary, Loss
from emovox.training.recipe import Data
from emovox.training.run import train
from emovox.training.run_folder import MODEL
from emovox.training.stages.head import logits
from tests.training.rows import changed, drawn_inputs, drawn_task, joined, plan, small_recipe

COLUMNS = ("owner", "seconds", "view", "file", "start", "length")

TASK = drawn_task()
SILENT = 19  # one of dee's
INPUTS = drawn_inputs(TASK, silent=[SILENT])


@pytest.fixture(scope="module", autouse=True)
def no_curves() -> Iterator[None]:
    """Half of the time of a small fit is its picture, which `test_loop` looks at."""
    with mock.patch.object(loop, "save_figure"):
        yield


def last_fold(task: Task, recipe: NetworkRecipe) -> Fold:
    return task_folds(task, recipe.data, seed=recipe.seed)[-1]


def score(folder: Path, *, task: Task = TASK, inputs: Inputs = INPUTS, **changes: Any) -> FoldScores:
    recipe = small_recipe(**changes)
    return NetworkMethod(task, inputs, recipe).fold(last_fold(task, recipe), folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fold")


@pytest.fixture(scope="module")
def scores(folder: Path) -> FoldScores:
    return score(folder, learning=plan(25, share=0.3))


def test_a_strange_speaker_s_clips_are_told_apart(scores: FoldScores) -> None:
    assert scores.test.tolist() == list(range(18, 24))  # dee's
    for view in ("tile", "whole", "narrow", "speaker-norm"):
        values = scores.scores[view]
        known = ~np.isnan(values[:, 0])
        np.testing.assert_allclose(values[known].sum(1), 1, atol=1e-6)
        assert (values[known].argmax(1) == TASK.labels[18:24][known]).mean() > 0.6, view  # chance is 0.33


def test_a_clip_without_speech_is_answered_in_one_piece_only_and_counts_as_wrong(scores: FoldScores) -> None:
    for condition in ("tile", "narrow", "speaker-norm"):
        values = scores.scores[condition]
        assert np.flatnonzero(np.isnan(values).any(1)).tolist() == [SILENT - 18]
    assert np.isfinite(scores.scores["whole"]).all()
    made = masked_predictions(TASK, [scores], "own")
    assert made.predicted[SILENT - 18] == NO_ANSWER
    assert made.label[SILENT - 18] == "bored"


def test_the_adapted_view_knows_no_labels(folder: Path, scores: FoldScores) -> None:
    shuffled = replace(TASK, labels=np.r_[TASK.labels[:18], TASK.labels[18:][::-1]])
    again = score(folder, task=shuffled, learning=plan(25, share=0.3))  # fitted before, in the same folder
    np.testing.assert_array_equal(again.scores["speaker-norm"], scores.scores["speaker-norm"])
    np.testing.assert_array_equal(again.scores["tile"], scores.scores["tile"])


def test_adapted_scores_need_all_of_a_speaker_s_clips(folder: Path, scores: FoldScores) -> None:
    other = score(folder, inputs=changed(INPUTS, [23], 0.5), learning=plan(25, share=0.3))
    assert np.array_equal(other.scores["tile"][0], scores.scores["tile"][0])
    assert not np.array_equal(other.scores["speaker-norm"][0], scores.scores["speaker-norm"][0])


def test_what_was_found_on_held_out_speakers_is_told(scores: FoldScores) -> None:
    method = NetworkMethod(TASK, INPUTS, small_recipe())
    uar = scores.chosen["held_out_uar"]
    told = f"UAR {uar:.1f} on held-out training speakers, temperature {scores.temperature:.2f}"
    assert method.sentence(scores) == told
    unknown = replace(scores, chosen={"held_out_uar": float("nan")})
    assert method.sentence(unknown) == "no speaker held out, so the scores are not calibrated"


def test_a_speaker_of_whom_nothing_is_heard(tmp_path: Path) -> None:
    silent = score(tmp_path, inputs=drawn_inputs(TASK, silent=range(18, 24)), learning=plan(2, share=0.3))
    assert np.isnan(silent.scores["tile"]).all()
    assert np.isfinite(silent.scores["whole"]).all()


def test_a_head_of_one_view_has_no_adapted_scores(tmp_path: Path) -> None:
    assert score(tmp_path, head_learning=None, learning=plan(2)).scores.keys() == {"tile", "whole", "narrow"}


def test_without_speakers_the_dependent_protocol_works_and_adapts_to_nobody(tmp_path: Path) -> None:
    task = drawn_task(speakers=(None,) * 2)
    data = Data(corpora=("own.jsonl",), protocol="sd")
    found = score(tmp_path, task=task, inputs=drawn_inputs(task), data=data, learning=plan(2), head_learning=plan(2))
    assert found.scores.keys() == {"tile", "whole", "narrow"}
    assert np.isfinite(found.scores["tile"]).all()


def test_corpora_with_other_labels_learn_together(tmp_path: Path) -> None:
    task = joined(drawn_task(), drawn_task(("cross", "sad"), corpus="other"))
    data = Data(corpora=("own.jsonl", "other.jsonl"), protocol="joint")
    recipe = small_recipe(data=data, learning=plan(25, share=0.3))
    run = train(task, recipe, tmp_path, OneFold(task, drawn_inputs(task), recipe))
    own = FigureKey(recipe.name, "own", "own", "joint")
    assert run.predictions[own].classes == ("bored", "cross", "keen")
    other = run.predictions[replace(own, corpus="other")]
    assert other.classes == ("cross", "sad")
    np.testing.assert_allclose(other.scores.sum(1), 1, atol=1e-6)
    assert (other.label == other.predicted).mean() > 0.6  # chance is 0.5
    assert replace(own, corpus="other", condition="speaker-norm") in run.predictions


class OneFold(NetworkMethod):
    """Fits the first fold, and takes its network for the others: for the time it takes."""

    def fold(self, fold: Fold, folder: Path) -> FoldScores:
        train_on = fold.train if fold.number == 1 else tuple(self.seen[0])
        self.seen.append(train_on)
        return super().fold(msgspec.structs.replace(fold, train=train_on), folder.parent / "1")

    @property
    def seen(self) -> list[Sequence[int]]:
        return self.__dict__.setdefault("_seen", [])  # type: ignore[no-any-return]


def test_a_fold_without_a_class_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    few = drawn_task(("bored", "cross", "keen"), speakers=("ada", "bob"))
    more = replace(few, labels=np.where(np.arange(12) < 6, few.labels % 2, few.labels))  # only bob is keen
    recipe = small_recipe()
    method = NetworkMethod(more, drawn_inputs(more), recipe)
    with pytest.raises(ProtocolError, match=r"fold 2: tests keen on own/bob, but no other speaker has a clip of it"):
        train(more, recipe, tmp_path / "run", method)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"copies": {"own": 1, "owm": 2}}, "small: copies has owm, expected some of own"),
        ({"learning": plan(2, share=0.0)}, "learning.loss.alpha has glad, expected some of bored, cross, keen"),
        ({"head_learning": plan(2)}, "head_learning.loss.alpha has glad"),
    ],
)
def test_names_that_the_clips_lack_are_refused_before_inputs_are_computed(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    spoilt = {
        key: value if key == "copies" else msgspec.structs.replace(value, loss=Loss(alpha={"glad": 2.0}))
        for key, value in changes.items()
    }
    with pytest.raises(RecipeError, match=message):
        NetworkMethod.prepared(TASK, small_recipe(**spoilt), folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_adversary_with_nothing_to_guess_is_refused_before_inputs_are_computed(tmp_path: Path) -> None:
    opposed = small_recipe(head_learning=msgspec.structs.replace(plan(2), adversary=Adversary(on="corpus")))
    with pytest.raises(RecipeError, match=r"adversary\.on is 'corpus', and the clips have only one corpus"):
        NetworkMethod.prepared(TASK, opposed, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_recipe_for_several_published_corpora_serves_for_one(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):  # it gets as far as the clips, which are no files
        NetworkMethod.prepared(TASK, small_recipe(copies={"ravdess": 3}), folder=tmp_path)


def test_the_network_of_a_fold_is_saved_beside_its_checkpoints(tmp_path: Path) -> None:
    recipe = small_recipe(labels=("bored", "cross", "keen"))
    method = NetworkMethod(TASK, INPUTS, recipe)
    (fold, *_) = task_folds(TASK, recipe.data, seed=recipe.seed)
    scores = method.fold(fold, tmp_path)
    saved = TrainedModel.load(tmp_path / MODEL)
    card = saved.card
    assert (card.name, card.fold, card.classes) == ("small", fold.number, TASK.classes)
    assert (card.recipe_sha256, card.temperature) == (recipe.sha256(), scores.temperature)
    assert [(corpus.name, corpus.clips) for corpus in card.corpora] == [("own", len(fold.train))]
    rows = INPUTS.select(np.array(fold.test))
    values = logits(saved.network.head, pooled(saved.network.encoder, INPUTS, rows)) / card.temperature
    means = clip_means(softmax(values), INPUTS.owner[rows], INPUTS.seconds[rows], len(TASK.clips))
    np.testing.assert_array_equal(means[list(fold.test)], scores.scores["tile"])


def test_further_conditions_are_scored_under_their_names(tmp_path: Path) -> None:
    recipe = small_recipe(conditions=("phone",))
    narrow = INPUTS.view == "narrow"
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(INPUTS, name), getattr(INPUTS, name)[narrow]]) for name in COLUMNS
    }
    columns["view"][-narrow.sum() :] = "phone"
    inputs, (fold, *_) = replace(INPUTS, **columns), task_folds(TASK, recipe.data, seed=recipe.seed)
    scores = NetworkMethod(TASK, inputs, recipe).fold(fold, tmp_path).scores
    assert list(scores) == ["tile", "whole", "narrow", "phone", "speaker-norm"]
    np.testing.assert_array_equal(scores["phone"], scores["narrow"])


def test_conditions_that_there_are_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="conditions has 'mars', expected some of narrow, phone"):
        NetworkMethod.prepared(TASK, small_recipe(conditions=("mars",)), folder=tmp_path)
