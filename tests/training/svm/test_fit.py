"""Fitting looks at training clips only, and validates on speakers that it was not fitted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from emovox.augment.conditions import NARROW
from emovox.models.svm import SvmHead
from emovox.training.data.task import Indices
from emovox.training.data.views import TILE, WHOLE, copy_view
from emovox.training.stages.head import logits
from emovox.training.svm.fit import Fit, FittedSvm
from emovox.training.svm.method import SvmMethod
from emovox.training.svm.recipe import Features, Svm, SvmRecipe
from tests.corpora.trees import clip
from tests.training.tasks import CloudTask, clip_task, cloud_task, small_recipe


def held_out(task: CloudTask, speaker: str = "dee") -> tuple[Indices, Indices]:
    test = np.array([clip.speaker == speaker for clip in task.clips])
    return np.flatnonzero(~test), np.flatnonzero(test)


def fit_of(task: CloudTask, train: Indices, recipe: SvmRecipe) -> Fit:
    return Fit(task, task.inputs, SvmMethod(task, task.inputs, recipe).values, train, recipe)


def fit(task: CloudTask, train: Indices, recipe: SvmRecipe) -> FittedSvm:
    return fit_of(task, train, recipe).run()


def with_values(task: CloudTask, values: npt.NDArray[np.floating]) -> CloudTask:
    return replace(task, inputs=replace(task.inputs, stores=(values.astype(np.float32),)))


def spoil(task: CloudTask, clips: Indices) -> CloudTask:
    """The same task, where the functionals and labels of some clips are nonsense."""
    values, labels = task.inputs.stores[0].copy(), task.labels.copy()
    values[np.isin(task.inputs.owner, clips)] = 1e6
    labels[clips] = 0
    return replace(with_values(task, values), labels=labels)


def arrays(fitted: FittedSvm) -> list[object]:
    return [fitted.temperature, *(value.tolist() for value in fitted.network.head.state_dict().values())]


def decisions(fitted: FittedSvm, task: CloudTask, rows: Indices) -> npt.NDArray[np.float64]:
    assert isinstance(fitted.network.head, SvmHead)
    return logits(fitted.network.head, task.inputs.stores[0][rows])


@pytest.mark.parametrize("select", [0, 40])
def test_nothing_is_learnt_from_test_clips(select: int) -> None:
    task, recipe = cloud_task(), small_recipe(features=Features(groups=("mfcc", "f0"), select=select))
    train, test = held_out(task)
    honest, spoilt = fit(task, train, recipe), fit(spoil(task, test), train, recipe)
    assert arrays(honest) == arrays(spoilt)
    assert honest.choice == spoilt.choice


def test_training_clips_do_matter() -> None:
    task, recipe = cloud_task(), small_recipe()
    train, _ = held_out(task)
    assert arrays(fit(task, train, recipe)) != arrays(fit(spoil(task, train[:9]), train, recipe))


def test_the_model_tells_unknown_speakers_labels() -> None:
    task = cloud_task()
    train, test = held_out(task)
    rows = task.inputs.select(test)
    found = decisions(fit(task, train, small_recipe()), task, rows).argmax(axis=1)
    assert np.mean(found == task.labels[task.inputs.owner[rows]]) > 0.9


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

    def kinds(**changes: bool | tuple[str, ...]) -> dict[tuple[str, str], int]:
        rows = fit_of(task, train, small_recipe(**changes)).rows(train)
        owner, view = task.inputs.owner[rows], task.inputs.view[rows]
        assert set(owner) <= set(train)
        names = [(task.clips[one].corpus, str(name)) for one, name in zip(owner, view, strict=True)]
        return {name: names.count(name) for name in names}

    tiles = {("one", TILE): 18, ("one", copy_view(1)): 9, ("two", TILE): 18, ("two", copy_view(1)): 9}
    assert kinds(whole=False) == tiles
    assert kinds() == {**tiles, ("one", WHOLE): 9, ("two", WHOLE): 9}
    assert kinds(whole=("two",)) == {**tiles, ("two", WHOLE): 9}
    assert kinds(whole=False, narrow=True) == {**tiles, ("one", NARROW): 9, ("two", NARROW): 9}


def test_selection_keeps_what_tells_the_label() -> None:
    task = cloud_task()
    train, _ = held_out(task)
    values = np.random.default_rng(0).normal(size=task.inputs.stores[0].shape)
    values[:, [3, 50, 91]] += 4 * task.labels[task.inputs.owner][:, None]
    recipe = small_recipe(features=Features(groups=("mfcc",), select=3))
    columns = fit_of(with_values(task, values), train, recipe).columns()
    assert columns.tolist() == [3, 50, 91]


def test_selection_of_all_is_no_selection() -> None:
    task = cloud_task(takes=1)
    train, _ = held_out(task)
    columns = fit_of(task, train, small_recipe(features=Features(groups=("mfcc",), select=104))).columns()
    assert columns.tolist() == list(range(104))


def test_a_label_of_one_training_speaker_only() -> None:
    # whoever is held out inside, one inner fold has no clip of "rare" to learn from
    clips = [clip("own", n, s, label) for n in range(3) for s in ("a", "b", "c") for label in ("bored", "keen")]
    clips += [clip("own", 10 + n, "a", "rare") for n in range(3)]
    task = clip_task(clips, ("bored", "keen", "rare"))
    fitted = fit(task, np.arange(len(clips)), small_recipe())
    assert np.isfinite(decisions(fitted, task, np.arange(len(task.inputs.owner)))).all()
    assert fitted.choice.uar < 100


def test_the_temperature_follows_how_sure_the_machines_may_be() -> None:
    def temperature(noise: float) -> float:
        task = cloud_task(seed=3, takes=6)
        labels = task.labels.copy()
        wrong = np.random.default_rng(1).random(len(labels)) < noise
        labels[wrong] = (labels[wrong] + 1) % 3
        recipe: SvmRecipe = small_recipe(svm=Svm(c=(3.0,), gamma=(0.5,)))
        return fit(replace(task, labels=labels), held_out(task)[0], recipe).temperature

    assert temperature(0.0) < temperature(0.5)
