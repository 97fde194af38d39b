"""The adaptation is learnt from training clips, resumes, and changes nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from emovox.adaptation.estimator import Adaptation, Gate, adapted_scores
from emovox.adaptation.parameters import to_arrays
from emovox.adaptation.rescoring import rescore
from emovox.corpora.folds import SCORED_ONLY
from emovox.models.head import Head, HeadConfig
from emovox.models.head_scorer import HeadScorer
from emovox.schema.errors import RecipeError
from emovox.training import loop
from emovox.training.data.inputs import Inputs
from emovox.training.data.statistics import clip_averages
from emovox.training.data.task import Task
from emovox.training.network import STAGES, NetworkMethod
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.read import read_document
from emovox.training.recipe import Data
from emovox.training.stages.stage import Context, Fitted, run_stages
from emovox.workflow import read_recipe
from tests.training.rows import changed, drawn_inputs, drawn_task, joined, plan, small_recipe

TASK = joined(drawn_task(corpus="one", takes=4), drawn_task(corpus="two", takes=4))
INPUTS = drawn_inputs(TASK)
TEST = [number for number, clip in enumerate(TASK.clips) if clip.speaker == "dee"]
TRAIN = np.setdiff1d(np.arange(len(TASK.clips)), TEST)
RECIPES = Path(__file__).parents[3] / "recipes"
OPEN = Gate(np.zeros(5), np.ones(5), np.zeros(5), np.inf)
RECIPE = small_recipe(data=Data(corpora=("one", "two"), protocol="joint"), learning=plan(4), adaptation=True)


@pytest.fixture(scope="module", autouse=True)
def no_curves() -> Iterator[None]:
    with mock.patch.object(loop, "save_figure"):
        yield


def run(folder: Path, *, recipe: NetworkRecipe = RECIPE, inputs: Inputs = INPUTS) -> Fitted:
    return run_stages(STAGES, Context(TASK, inputs, recipe, TRAIN, folder))


def arrays(adaptation: Adaptation | None) -> dict[str, np.ndarray]:
    assert adaptation is not None
    return to_arrays(adaptation)


def assert_same(one: Fitted, other: Fitted) -> None:
    for name, array in arrays(one.adaptation).items():
        np.testing.assert_array_equal(arrays(other.adaptation)[name], array, err_msg=name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fit")


@pytest.fixture(scope="module")
def fitted(folder: Path) -> Fitted:
    return run(folder)


def test_each_corpus_is_heard_by_a_head_without_it(fitted: Fitted, folder: Path) -> None:
    assert {"without-one", "without-two"} < {path.name for path in folder.iterdir()}
    found = arrays(fitted.adaptation)
    n_statistics = fitted.network.encoder.n_statistics
    assert found["adaptation.axes"].shape == (len(found["adaptation.within"]), n_statistics)
    assert all(np.isfinite(array).all() for array in found.values())


def test_test_clips_are_not_looked_at(fitted: Fitted, tmp_path: Path) -> None:
    assert_same(run(tmp_path, inputs=changed(INPUTS, TEST, np.nan)), fitted)


def test_a_finished_training_learns_it_afterwards(fitted: Fitted, tmp_path: Path) -> None:
    plain = run(tmp_path, recipe=small_recipe(data=RECIPE.data, learning=plan(4)))
    assert plain.adaptation is None
    log = (tmp_path / "head" / "log.csv").read_bytes()
    later = run(tmp_path)
    assert (tmp_path / "head" / "log.csv").read_bytes() == log
    assert_same(later, fitted)
    for name, weights in plain.network.state_dict().items():
        assert torch.equal(later.network.state_dict()[name], weights), name


def test_the_hash_of_a_recipe_does_not_depend_on_it() -> None:
    assert small_recipe(adaptation=True).sha256() == small_recipe().sha256() != small_recipe(members=2).sha256()


def prepare(tmp_path: Path, task: Task, **changes: object) -> None:
    NetworkMethod.prepared(task, small_recipe(adaptation=True, learning=plan(), **changes), folder=tmp_path)


def test_one_corpus_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="fold 1 trains on own alone, expected 2 corpora or more"):
        prepare(tmp_path, drawn_task())


def test_unknown_speakers_are_refused(tmp_path: Path) -> None:
    task = joined(drawn_task(corpus="one"), drawn_task(corpus="two", speakers=[None]))
    with pytest.raises(RecipeError, match=r"clips have no speaker \(.* is the first\), expected one for each"):
        prepare(tmp_path, task, data=Data(corpora=("one", "two"), protocol="sd"))


def test_it_needs_heads_that_take_another_mean(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('kind = "network"\nadaptation = true\n[data]\nprotocol = "si"\n[encoder]\nname = "mobile"\n')
    with pytest.raises(RecipeError, match="adaptation is true without head_learning, expected false"):
        read_recipe(path)


def test_a_teacher_learns_none(tmp_path: Path) -> None:
    (tmp_path / "teacher.toml").write_text('kind = "network"\nadaptation = true\n[encoder]\nname = "mobile"\n')
    path = tmp_path / "own.toml"
    path.write_text('kind = "network"\n[data]\nprotocol = "si"\n[teacher]\nrecipe = "teacher.toml"\n')
    assert read_document(path)["teacher"]["recipe"]["adaptation"] is False


def test_means_over_the_rows_of_each_clip() -> None:
    clips, means = clip_averages(np.array([3, 1, 3]), np.array([[1.0], [5.0], [2.0]], np.float32))
    assert clips.tolist() == [1, 3]
    assert means.tolist() == [[5.0], [1.5]]


def test_both_ways_to_score_under_a_mixture_agree() -> None:
    torch.manual_seed(0)
    head = Head(20, 3, HeadConfig(hidden=6))
    head.set_statistics(torch.arange(20.0), torch.linspace(0.5, 2, 20))
    scorer = HeadScorer(head, [[1, 0], [1, 0], [0, 1]], 1.5)
    rows = np.random.default_rng(0).normal(np.arange(20), 1, (9, 20)).astype(np.float32)
    fit = Adaptation(np.eye(20)[:2], np.ones((2, 2)), np.eye(2), 20.0, OPEN)
    mixture = fit.mixture(scorer, fit.measure(scorer, rows + np.float32(2)))
    assert len({part.weight for part in mixture}) > 1
    found = rescore(scorer, scorer.hidden(rows), mixture)
    np.testing.assert_allclose(found, adapted_scores(scorer, rows, mixture), atol=1e-6)
    assert np.abs(found - scorer.scores(rows)).max() > 0.01


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_recipes_that_adapt_learn_from_two_corpora(path: Path) -> None:
    recipe = read_recipe(path)
    trained = set(recipe.data.corpora) - SCORED_ONLY - {recipe.data.target}
    assert not recipe.learns_adaptation or len(trained) >= 2
