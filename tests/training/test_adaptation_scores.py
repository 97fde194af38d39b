"""A finished run learns its adaptation afterwards, and every test speaker is scored with that of the fold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import msgspec
import pytest

from emovox.evaluation.adaptation.counts import read_counts
from emovox.evaluation.adaptation.voices import METHODS
from emovox.evaluation.figures.files import read_predictions
from emovox.models.trained import TrainedModel
from emovox.schema.errors import RecipeError
from emovox.training import loop
from emovox.training.network import NetworkMethod
from emovox.training.recipe import Data
from emovox.training.run import ADAPTATION, Run, train
from emovox.training.run_folder import RESOLVED, model_folder
from tests.training.rows import drawn_inputs, drawn_task, joined, plan, small_recipe

TASK = joined(*(drawn_task(corpus=name, takes=4, speakers=("ada", "bob")) for name in ("one", "two")))
INPUTS = drawn_inputs(TASK, silent=[3])
RECIPE = small_recipe(data=Data(corpora=("one", "two"), protocol="joint"), learning=plan(4))


@pytest.fixture(scope="module", autouse=True)
def no_curves() -> Iterator[None]:
    with mock.patch.object(loop, "save_figure"):
        yield


def trained(folder: Path, *, adaptation: bool, resume: bool = False) -> Run[TrainedModel]:
    recipe = msgspec.structs.replace(RECIPE, adaptation=adaptation)
    return train(TASK, recipe, folder, NetworkMethod(TASK, INPUTS, recipe), resume=resume)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    trained(folder, adaptation=False)
    return folder


@pytest.fixture(scope="module")
def before(plain: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (plain / "predictions").iterdir()}


@pytest.fixture(scope="module")
def adapted(plain: Path, before: dict[str, bytes]) -> Path:
    assert before
    assert not (plain / ADAPTATION).exists()
    trained(plain, adaptation=True, resume=True)
    return plain


def test_the_predictions_stay_as_they_were(adapted: Path, before: dict[str, bytes]) -> None:
    assert {path.name: path.read_bytes() for path in (adapted / "predictions").iterdir()} == before
    assert b'"adaptation": true' in (adapted / RESOLVED).read_bytes()


def test_every_speaker_is_scored_by_every_method_that_it_has_clips_for(adapted: Path) -> None:
    rows = read_counts(adapted / ADAPTATION)
    assert {(row.corpus, row.speaker) for row in rows} == {(one.corpus, str(one.speaker)) for one in TASK.clips}
    assert {row.method for row in rows} == set(METHODS)
    assert {row.view for row in rows} == {"own", "seven"}


def test_plain_counts_are_those_of_the_predictions(adapted: Path) -> None:
    made = read_predictions(adapted / "predictions" / "two_own_joint_tile.csv")
    rows = [row for row in read_counts(adapted / ADAPTATION) if (row.corpus, row.view) == ("two", "own")]
    without = [row for row in rows if (row.method, row.clips) == ("mixture", 0)]
    right = made.label == made.predicted
    assert sum(sum(row.scored) for row in without) == len(right)
    assert sum(sum(row.plain) for row in without) == right.sum()


def test_each_fold_keeps_its_adaptation(adapted: Path) -> None:
    assert TrainedModel.load(model_folder(adapted, 1)).adaptation is not None


def test_a_finished_fold_is_not_done_again(adapted: Path) -> None:
    with mock.patch.object(NetworkMethod, "fold", side_effect=AssertionError("done again")):
        trained(adapted, adaptation=True, resume=True)


def test_another_recipe_is_refused_as_before(adapted: Path) -> None:
    recipe = msgspec.structs.replace(RECIPE, members=2, adaptation=True)
    with pytest.raises(RecipeError, match="holds a run of another recipe"):
        train(TASK, recipe, adapted, NetworkMethod(TASK, INPUTS, recipe), resume=True)
