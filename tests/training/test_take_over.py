"""A pruned run takes over the first stage of another, and equals a training of its recipe from the start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest

from emovox.schema.errors import CheckpointError, RecipeError
from emovox.training import loop
from emovox.training import take_over as taking
from emovox.training.network import NetworkMethod
from emovox.training.network_recipe import NetworkRecipe, Pruning, Teacher, recipe_of_run
from emovox.training.plan import Loss, Stopping
from emovox.training.run import train
from emovox.training.run_folder import RESOLVED
from emovox.training.take_over import pruned_recipe, take_over
from tests.training.rows import drawn_inputs, drawn_task, plan, small_recipe

TASK = drawn_task(speakers=("ada", "bob", "cy"))
INPUTS = drawn_inputs(TASK)
OTHERS = drawn_inputs(TASK, seed=1)
HALF = Pruning(keep=0.5, multiple=2, steps=4, learning_rate=0.01)


def recipe(**changes: Any) -> NetworkRecipe:
    learning = msgspec.structs.replace(plan(4, share=0.3), loss=Loss(hint=1.0))
    head = msgspec.structs.replace(plan(4), stopping=Stopping())
    teacher = Teacher(recipe=small_recipe(name="teacher", learning=plan(3), head_learning=head))
    return small_recipe(**{"teacher": teacher, "learning": learning, "head_learning": head, **changes})


def fit(plans: NetworkRecipe, folder: Path, *, resume: bool = False) -> None:
    train(TASK, plans, folder, NetworkMethod(TASK, INPUTS, plans, teacher_inputs=OTHERS), resume=resume)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with mock.patch.object(loop, "save_figure"), mock.patch.object(taking, "load_clips", return_value=TASK.clips):
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "small"
    fit(recipe(), folder)
    return folder


def test_the_result_is_that_of_the_recipe_and_the_first_stage_is_not_run_again(run: Path, tmp_path: Path) -> None:
    before = recipe_of_run(run, need="prune")
    after = pruned_recipe(before, HALF, name="")
    assert (after.name, after.prune) == ("small-50", HALF)
    take_over(run, tmp_path / "taken", before=before, after=after)
    fit(after, tmp_path / "taken")
    logs = {path.parent.name for path in (tmp_path / "taken/folds/1").glob("*/log.csv")}
    assert logs == {"head", "inner-1", "pruned"}
    fit(after, tmp_path / "direct")
    files = sorted(path.name for path in (tmp_path / "direct/predictions").iterdir())
    assert files
    for name in files:
        taken, direct = ((tmp_path / place / "predictions" / name).read_bytes() for place in ("taken", "direct"))
        assert taken == direct
        assert taken != (run / "predictions" / name).read_bytes()


def test_clips_that_have_changed_are_refused(run: Path, tmp_path: Path) -> None:
    before = recipe_of_run(run, need="prune")
    after = pruned_recipe(before, HALF, name="other")
    fewer = TASK.clips[1:]
    with (
        mock.patch.object(taking, "load_clips", return_value=fewer),
        pytest.raises(CheckpointError, match="of another"),
    ):
        take_over(run, tmp_path, before=before, after=after)


def test_the_folder_of_the_run_itself_is_refused(run: Path) -> None:
    before = recipe_of_run(run, need="prune")
    with pytest.raises(RecipeError, match="is the run that is to be pruned; name another folder by --output"):
        take_over(run, run, before=before, after=pruned_recipe(before, HALF, name=""))


def test_a_checkpoint_that_is_gone_is_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "folds/1").mkdir(parents=True)
    (tmp_path / "folds/1.json").write_text("{}")
    (tmp_path / RESOLVED).write_bytes((run / RESOLVED).read_bytes())
    before = recipe_of_run(tmp_path, need="prune")
    with pytest.raises(CheckpointError, match="there is no such checkpoint; train the run on this machine"):
        take_over(tmp_path, tmp_path / "new", before=before, after=pruned_recipe(before, HALF, name=""))
