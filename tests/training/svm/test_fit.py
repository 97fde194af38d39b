"""Fitting looks at training clips only, and validates on speakers that it was not fitted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emovox.augment.conditions import NARROW
from emovox.models.svm import SvmModel
from emovox.training.data.task import Indices
from emovox.training.data.views import TILE, WHOLE
from emovox.training.svm.fit import choose_columns, fit, training_rows
from emovox.training.svm.recipe import Augment, Features, Svm, SvmRecipe
from emovox.training.svm.rows import speed_view
from emovox.training.svm.task import SvmTask
from tests.corpora.trees import clip
from tests.training.tasks import SPEED, clip_task, cloud_task, small_recipe


def held_out(task: SvmTask, speaker: str = "dee") -> tuple[Indices, Indices]:
    test = np.array([clip.speaker == speaker for clip in task.clips])
    return np.flatnonzero(~test), np.flatnonzero(test)


def spoil(task: SvmTask, clips: Indices) -> SvmTask:
    """The same task, where the functionals and labels of some clips are nonsense."""
    values, labels = task.rows.values.copy(), task.labels.copy()
    values[np.isin(task.rows.owner, clips)] = 1e6
    labels[clips] = 0
    return replace(task, labels=labels, rows=replace(task.rows, values=values))


def arrays(model: SvmModel) -> list[object]:
    projection = model.projection
    parts = (projection.columns, projection.mean, projection.scale, projection.components, model.support)
    return [*(part.tolist() for part in (*parts, model.weights, model.bias)), model.gamma, model.temperature]


@pytest.mark.parametrize("select", [0, 40])
def test_nothing_is_learnt_from_test_clips(select: int) -> None:
    task, recipe = cloud_task(), small_recipe(features=Features(groups=("mfcc", "f0"), select=select))
    train, test = held_out(task)
    honest, spoilt = fit(task, train, recipe), fit(spoil(task, test), train, recipe)
    assert arrays(honest.model) == arrays(spoilt.model)
    assert honest.choice == spoilt.choice


def test_training_clips_do_matter() -> None:
    task, recipe = cloud_task(), small_recipe()
    train, _ = held_out(task)
    assert arrays(fit(task, train, recipe).model) != arrays(fit(spoil(task, train[:9]), train, recipe).model)


def test_the_model_tells_unknown_speakers_labels() -> None:
    task = cloud_task()
    train, test = held_out(task)
    model = fit(task, train, small_recipe()).model
    rows = task.rows.select(test)
    found = model.decisions(task.rows.values[rows].astype(np.float64)).argmax(axis=1)
    assert np.mean(found == task.labels[task.rows.owner[rows]]) > 0.9


def test_the_choice_is_the_best_point_of_the_grid() -> None:
    task = cloud_task(seed=2)
    train, _ = held_out(task)
    svm = Svm(c=(3.0,), gamma=(500.0, 0.5), inner_folds=3)  # 500: every clip is near to itself only
    choice = fit(task, train, small_recipe(svm=svm)).choice
    assert (choice.c, choice.gamma) == (3.0, 0.5)
    alone = fit(task, train, small_recipe(svm=Svm(c=(3.0,), gamma=(0.5,)))).choice
    assert choice == alone


def test_views_of_training_clips() -> None:
    task = cloud_task(corpora=("one", "two"), takes=1)
    train, _ = held_out(task)

    def kinds(augment: Augment) -> dict[tuple[str, str], int]:
        rows = training_rows(task, train, small_recipe(augment=augment))
        assert set(task.rows.owner[rows]) <= set(train)
        names = [(task.clips[task.rows.owner[row]].corpus, str(task.rows.view[row])) for row in rows]
        return {name: names.count(name) for name in names}

    tiles = {("one", TILE): 18, ("two", TILE): 18}
    assert kinds(Augment()) == tiles
    assert kinds(Augment(whole=True)) == {**tiles, ("one", WHOLE): 9, ("two", WHOLE): 9}
    assert kinds(Augment(narrow=True)) == {**tiles, ("one", NARROW): 9, ("two", NARROW): 9}
    assert kinds(Augment(speeds=(SPEED,), corpora=("two",))) == {**tiles, ("two", speed_view(SPEED)): 9}


def test_selection_keeps_what_tells_the_label() -> None:
    task = cloud_task()
    train, _ = held_out(task)
    values = np.random.default_rng(0).normal(size=task.rows.values.shape)
    values[:, [3, 50, 91]] += 4 * task.labels[task.rows.owner][:, None]
    told = replace(task, rows=replace(task.rows, values=values.astype(np.float32)))
    columns = choose_columns(told, train, small_recipe(features=Features(groups=("mfcc",), select=3)))
    assert columns.tolist() == [3, 50, 91]


def test_selection_of_all_is_no_selection() -> None:
    task = cloud_task(takes=1)
    train, _ = held_out(task)
    columns = choose_columns(task, train, small_recipe(features=Features(groups=("mfcc",), select=104)))
    assert columns.tolist() == list(range(104))


def test_a_label_of_one_training_speaker_only() -> None:
    # whoever is held out inside, one inner fold has no clip of "rare" to learn from
    clips = [clip("own", n, s, label) for n in range(3) for s in ("a", "b", "c") for label in ("bored", "keen")]
    clips += [clip("own", 10 + n, "a", "rare") for n in range(3)]
    task = clip_task(clips, ("bored", "keen", "rare"))
    fitted = fit(task, np.arange(len(clips)), small_recipe())
    assert np.isfinite(fitted.model.decisions(task.rows.values.astype(np.float64))).all()
    assert fitted.choice.uar < 100


def test_the_temperature_follows_how_sure_the_machines_may_be() -> None:
    def temperature(noise: float) -> float:
        task = cloud_task(seed=3, takes=6)
        labels = task.labels.copy()
        wrong = np.random.default_rng(1).random(len(labels)) < noise
        labels[wrong] = (labels[wrong] + 1) % 3
        recipe: SvmRecipe = small_recipe(svm=Svm(c=(3.0,), gamma=(0.5,)))
        return fit(replace(task, labels=labels), held_out(task)[0], recipe).model.temperature

    assert temperature(0.0) < temperature(0.5)
