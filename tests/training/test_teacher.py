"""A finished run teaches by the networks of its folds, also what recordings without labels hold."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import numpy as np
import pytest
import soundfile

from emovox.corpora.manifest import Clip
from emovox.models.head import HeadConfig
from emovox.models.network import Network
from emovox.models.trained import TrainedModel
from emovox.schema.errors import RecipeError
from emovox.training import loop
from emovox.training.data.task import task_folds
from emovox.training.network import NetworkMethod
from emovox.training.network_recipe import NetworkRecipe, Teacher, network_problems
from emovox.training.plan import Adversary, Loss, Stopping
from emovox.training.read import read_document
from emovox.training.recipe import UNLABELLED
from emovox.training.run import train
from emovox.training.run_folder import model_folder
from emovox.training.stages.distillation import distillation_targets
from emovox.training.stages.encoder import teacher_targets, training_examples
from emovox.training.stages.stage import Context
from emovox.training.stages.unlabelled import unlabelled_clips
from emovox.training.teacher import check_teacher_run, check_teacher_size
from tests.training.rows import drawn_inputs, drawn_task, plan, small_recipe, task_of

TASK = drawn_task(speakers=("ada", "bob", "cy"))
INPUTS = drawn_inputs(TASK)
HEAD = msgspec.structs.replace(plan(4), stopping=Stopping())


def teaching(**changes: Any) -> NetworkRecipe:
    values = {"name": "big", "export": True, "head": HeadConfig(hidden=16), "head_learning": HEAD, **changes}
    return small_recipe(**{"learning": plan(4), **values})


@pytest.fixture(scope="module", autouse=True)
def no_curves() -> Iterator[None]:
    with mock.patch.object(loop, "save_figure"):
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher") / "big"
    train(TASK, teaching(), folder, NetworkMethod(TASK, INPUTS, teaching()))
    return folder


def student(run: Path, **teacher: Any) -> NetworkRecipe:
    learning = msgspec.structs.replace(plan(4), loss=Loss(hint=1.0))
    taught = Teacher(**{"recipe": teaching(), "run": str(run), "temperature": 2.0, **teacher})
    return small_recipe(teacher=taught, learning=learning, head_learning=HEAD)


def context(run: Path, folder: Path, *, fold: int | None = 2, **teacher: Any) -> Context:
    recipe = student(run, **teacher)
    folds = {one.number: np.array(one.train) for one in task_folds(TASK, recipe.data, seed=recipe.seed)}
    learnt = np.arange(len(TASK.clips)) if fold is None else folds[fold]
    return Context(TASK, INPUTS, recipe, learnt, folder, teacher_inputs=INPUTS, fold=fold)


@pytest.mark.parametrize("fold", [2, None])
def test_the_network_of_the_fold_teaches_and_no_other_is_trained(run: Path, tmp_path: Path, fold: int | None) -> None:
    here = context(run, tmp_path, fold=fold)
    found = teacher_targets(here, here.train)
    assert found is not None
    network = TrainedModel.load(model_folder(run, fold)).network
    expected = distillation_targets(TASK, INPUTS, here.train, network, share=0.5, temperature=2.0)
    np.testing.assert_array_equal(found.targets, expected.targets)
    np.testing.assert_array_equal(found.hints, expected.hints)
    assert [path.name for path in (tmp_path / "teacher").iterdir()] == ["targets.npz"]


def test_outputs_on_disk_are_used_again_unless_they_are_of_others_or_damaged(run: Path, tmp_path: Path) -> None:
    here, file = context(run, tmp_path), tmp_path / "teacher" / "targets.npz"
    first = teacher_targets(here, here.train)
    with mock.patch("emovox.training.stages.encoder.distillation_targets", side_effect=KeyError):
        again = teacher_targets(here, here.train)
        assert first is not None
        assert again is not None
        np.testing.assert_array_equal(again.targets, first.targets)
        for other in (context(run, tmp_path, share=1.0), context(run, tmp_path, fold=1)):
            with pytest.raises(KeyError):
                teacher_targets(other, other.train)
        file.write_bytes(file.read_bytes()[:100])
        with pytest.raises(KeyError):
            teacher_targets(here, here.train)


def test_a_student_of_a_run_is_trained_and_its_card_names_the_corpora_of_both(run: Path, tmp_path: Path) -> None:
    plans = student(run)
    method = NetworkMethod(TASK, INPUTS, plans, teacher_inputs=INPUTS)
    fold = task_folds(TASK, plans.data, seed=plans.seed)[0]
    scores = method.fold(fold, tmp_path)
    assert scores.scores["tile"].shape == (len(fold.test), len(TASK.classes))
    assert isinstance(TrainedModel.load(tmp_path / "model").network, Network)
    assert [corpus.name for corpus in TrainedModel.load(tmp_path / "model").card.corpora] == ["own"]


def test_a_recipe_takes_the_recipe_of_the_run(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text('kind = "network"\n[teacher]\nshare = 0.7\n', encoding="utf-8")
    (tmp_path / "taught").mkdir()
    (tmp_path / "taught" / "recipe.json").write_text('{"kind": "svm"}', encoding="utf-8")
    found = read_document(path, [f"teacher.run={run}"])["teacher"]
    assert found["run"] == str(run)
    assert found["recipe"]["head"]["hidden"] == 16
    assert (found["recipe"]["copies"], found["recipe"]["export"]) == ({}, False)
    with pytest.raises(RecipeError, match="none', not the folder of a run"):
        read_document(path, [f"teacher.run={tmp_path / 'none'}"])
    with pytest.raises(RecipeError, match="of kind 'svm', expected a run of kind network"):
        read_document(path, [f"teacher.run={tmp_path / 'taught'}"])


def test_a_student_larger_than_its_teacher_is_refused(run: Path) -> None:
    large = msgspec.structs.replace(student(run), head=HeadConfig(hidden=17))
    assert large.teacher is not None
    with pytest.raises(RecipeError, match=r"small: has [\d,]+ parameters, its teacher big has [\d,]+; expected a stud"):
        check_teacher_size(large, large.teacher, len(TASK.classes))
    assert student(run).teacher is not None
    check_teacher_size(student(run), large.teacher, len(TASK.classes))


def test_a_run_that_cannot_teach_is_refused(run: Path, tmp_path: Path) -> None:
    plans = msgspec.structs.replace(student(run), export=True)
    check_teacher_run(TASK, plans, str(run))
    swapped = tmp_path / "swapped"
    shutil.copytree(run, swapped)
    (swapped / "folds/1.csv").write_bytes((run / "folds/2.csv").read_bytes())
    with pytest.raises(RecipeError, match="whose network of fold 1 may have learnt from own"):
        check_teacher_run(TASK, plans, str(swapped))
    (swapped / "folds/1.csv").unlink()
    with pytest.raises(RecipeError, match=r"1\.csv has no test clips"):
        check_teacher_run(TASK, plans, str(swapped))
    shutil.rmtree(swapped / "folds/1/model")
    with pytest.raises(RecipeError, match="which lacks a network"):
        check_teacher_run(TASK, plans, str(swapped))
    fewer = task_of([clip for clip in TASK.clips if clip.label != TASK.classes[0]])
    with pytest.raises(RecipeError, match="with the classes bored, cross, keen, expected those of the student"):
        check_teacher_run(fewer, plans, str(run))


def test_recordings_without_labels_have_the_scores_of_the_teacher_alone(run: Path, tmp_path: Path) -> None:
    first, others = len(TASK.clips), drawn_task(("cross", "keen"), corpus=UNLABELLED, speakers=("x",))
    both = drawn_inputs(replace(TASK, clips=(*TASK.clips, *others.clips), labels=np.r_[TASK.labels, others.labels]),
                        silent=[first + 1])  # fmt: skip
    here = context(run, tmp_path, share=0.5)
    here = replace(here, inputs=both, teacher_inputs=both, unlabelled=others.clips)
    examples = training_examples(here, here.train)
    told = examples.distillation
    assert told is not None
    rows = np.flatnonzero(examples.owner >= first)
    assert set(examples.owner[rows]) == {first, first + 2, first + 3}  # of the silent one nothing is known
    network = TrainedModel.load(model_folder(run, 2)).network
    alone = distillation_targets(examples.task, both, np.arange(first, first + 4), network, share=1.0, temperature=2.0)
    np.testing.assert_allclose(told.targets[first:], alone.targets[first:], rtol=1e-6)
    np.testing.assert_array_equal(examples.labels[rows], told.targets[examples.owner[rows]].argmax(1))
    known = examples.owner < first
    assert (told.targets[examples.owner[known], examples.labels[known]] >= 0.5).all()
    assert (examples.batch(rows[:2]).targets.sum(1) - 1).abs().max() < 1e-6
    assert here.key != replace(here, unlabelled=()).key


def test_recordings_are_found_in_folders_and_clips_of_the_corpora_are_refused(tmp_path: Path) -> None:
    for name in ("a.wav", "b/c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.zeros(8000), 16000)
    found = unlabelled_clips([str(tmp_path)], TASK)
    assert [(Path(clip.path).name, clip.corpus, clip.label, clip.duration) for clip in found] == [
        ("a.wav", UNLABELLED, None, 0.5),
        ("c.wav", UNLABELLED, None, 0.5),
    ]
    one = Clip(**{**msgspec.structs.asdict(TASK.clips[0]), "path": str(tmp_path / "a.wav")})
    with pytest.raises(RecipeError, match=r"which has a\.wav, a clip of the corpora"):
        unlabelled_clips([str(tmp_path)], replace(TASK, clips=(one, *TASK.clips[1:])))
    with pytest.raises(RecipeError, match=r"teacher\.unlabelled: .*expected folders of recordings"):
        unlabelled_clips([str(tmp_path / "none")], TASK)


def test_an_adversary_does_not_know_where_they_come_from(run: Path) -> None:
    plans = student(run, unlabelled=("more",))
    learning = msgspec.structs.replace(plans.learning, adversary=Adversary(on="corpus"))
    assert not [problem for problem in network_problems(plans) if "adversary" in problem]
    (told,) = (one for one in network_problems(msgspec.structs.replace(plans, learning=learning)) if "adversary" in one)
    assert told.startswith("teacher.unlabelled is set with an adversary, expected one of them")
