"""A fit looks at training clips only, calibrates on speakers that it held out, and goes on where it was killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import msgspec
import numpy as np
import pytest
import torch

from emovox.corpora.hold_out import hold_out
from emovox.models.encoders import EncoderConfig
from emovox.schema.errors import CheckpointError, RecipeError, TrainingError
from emovox.training import loop
from emovox.training.data.inputs import Inputs
from emovox.training.data.statistics import Statistics
from emovox.training.data.task import Indices, Task
from emovox.training.network import STAGES
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.stages import encoder as fitting
from emovox.training.stages.head import HeadAlone
from emovox.training.stages.stage import Context, Fitted, run_stages
from tests.models.small import small_encoders, write_whisper
from tests.training.rows import changed, drawn_inputs, drawn_task, joined, plan, small_recipe

TASK = drawn_task()
TRAIN = np.arange(18)  # all but dee's
TEST = range(18, 24)
INPUTS = drawn_inputs(TASK)


@pytest.fixture(scope="module", autouse=True)
def no_curves() -> Iterator[None]:
    """Half of the time of a small fit is its picture, which `test_loop` looks at."""
    with mock.patch.object(loop, "save_figure"):
        yield


def run(
    folder: Path, recipe: NetworkRecipe, inputs: Inputs = INPUTS, *, train: Indices = TRAIN, task: Task = TASK
) -> Fitted:
    return run_stages(STAGES, Context(task, inputs, recipe, train, folder))


def weights(fitted: Fitted) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in fitted.network.state_dict().values()])


def equal(one: Fitted, other: Fitted) -> bool:
    known = np.array_equal([one.temperature, one.held_out_uar], [other.temperature, other.held_out_uar], equal_nan=True)
    return known and torch.equal(weights(one), weights(other))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return run(tmp_path_factory.mktemp("fit"), small_recipe())


def test_the_same_recipe_gives_the_same_network(fitted: Fitted, tmp_path: Path) -> None:
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    assert equal(run(tmp_path / "again", small_recipe()), fitted)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.equal(weights(run(tmp_path / "other", small_recipe(seed=1))), weights(fitted))


def test_test_clips_are_not_looked_at(fitted: Fitted, tmp_path: Path) -> None:
    assert np.isfinite(fitted.temperature)
    assert 0 <= fitted.held_out_uar <= 100
    assert equal(run(tmp_path, small_recipe(), changed(INPUTS, TEST, np.nan)), fitted)


def test_held_out_speakers_choose_and_calibrate_but_teach_nothing(tmp_path: Path) -> None:
    recipe = small_recipe(head_learning=None, learning=plan(25, share=0.3))
    _, held = hold_out(TASK.clips, TRAIN.tolist(), share=0.3, seed=recipe.seed)
    assert {TASK.clips[i].speaker for i in held} < {"ada", "bob", "cy"}
    clear, noise = run(tmp_path / "a", recipe), run(tmp_path / "b", recipe, changed(INPUTS, held, 0.1))
    assert torch.equal(weights(clear), weights(noise))
    assert clear.temperature != noise.temperature
    assert clear.held_out_uar > noise.held_out_uar == pytest.approx(100 / 3)


def test_an_encoder_that_knows_everybody_is_not_calibrated(tmp_path: Path) -> None:
    for number, second in enumerate((plan(4), None)):
        fitted = run(tmp_path / str(number), small_recipe(learning=plan(4), head_learning=second))
        assert fitted.temperature == 1
        assert np.isnan(fitted.held_out_uar)


def frozen(tmp_path: Path, **changes: object) -> tuple[NetworkRecipe, Inputs]:
    config: EncoderConfig = small_encoders(write_whisper(tmp_path / "weights"))["whisper"]
    inputs = drawn_inputs(TASK, width=2 * (2 * 16 + 24))
    firsts = np.ones(len(inputs.owner), np.int64)  # statistics are one frame
    return small_recipe(encoder=config, **changes), shortened(inputs, firsts)


def shortened(inputs: Inputs, length: Indices) -> Inputs:
    return replace(inputs, length=length)


def test_heads_over_a_frozen_encoder_calibrate_on_inner_folds(tmp_path: Path) -> None:
    recipe, inputs = frozen(tmp_path)
    fitted = run(tmp_path / "run", recipe, inputs)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["head", "inner-1", "inner-2"]
    assert fitted.temperature != 1
    assert fitted.held_out_uar > 50  # chance is 33
    again = run(tmp_path / "again", recipe, changed(inputs, TEST, np.nan))
    assert equal(again, fitted)


def test_a_frozen_encoder_with_one_stage_learns_its_head(tmp_path: Path) -> None:
    recipe, inputs = frozen(tmp_path, head_learning=None, learning=plan(30, share=0.3))
    fitted = run(tmp_path / "run", recipe, inputs)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["encoder"]
    assert fitted.held_out_uar > 50


def test_killed_in_the_head_it_goes_on_and_gives_the_same(fitted: Fitted, tmp_path: Path) -> None:
    calls, forward = [], HeadAlone.forward

    def dying(network: HeadAlone, *batch: torch.Tensor) -> dict[str, torch.Tensor]:
        calls.append(batch)
        if len(calls) == 8 + 4:  # the head has learnt, the one that is judged is on its way
            raise KeyboardInterrupt
        return forward(network, *batch)

    with mock.patch.object(HeadAlone, "forward", dying), pytest.raises(KeyboardInterrupt):
        run(tmp_path, small_recipe())
    assert {path.name for path in tmp_path.iterdir()} == {"encoder", "inner-1", "head"}
    kept = (tmp_path / "encoder" / "checkpoint.pt").stat().st_mtime_ns
    assert not (tmp_path / "inner-1" / "steps.json").exists()
    assert equal(run(tmp_path, small_recipe()), fitted)
    assert (tmp_path / "encoder" / "checkpoint.pt").stat().st_mtime_ns == kept


def test_checkpoints_of_other_clips_are_refused(tmp_path: Path) -> None:
    recipe = small_recipe(head_learning=None, learning=plan(1))
    run(tmp_path, recipe)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        run(tmp_path, recipe, train=TRAIN[1:])


def test_no_number_in_a_training_clip_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="own 4"):
        run(tmp_path, small_recipe(learning=plan(40), head_learning=None), changed(INPUTS, [4], np.nan))


def test_only_corpora_with_speakers_to_spare_hold_some_out(tmp_path: Path) -> None:
    task = joined(TASK, drawn_task(("cross", "sad"), corpus="small", speakers=("eve", "fay")))
    inputs, train = drawn_inputs(task), np.arange(len(task.clips))
    with mock.patch.object(fitting, "hold_out", wraps=hold_out) as asked:
        run(tmp_path, small_recipe(learning=plan(2, share=0.3, least=3)), inputs, train=train, task=task)
    assert {task.clips[i].corpus for i in asked.call_args.args[1]} == {"own"}
    with pytest.raises(RecipeError, match=r"least is 5, expected at most the training speakers .* \(own 4, small 2\)"):
        run(tmp_path / "no", small_recipe(learning=plan(2, share=0.3, least=5)), inputs, train=train, task=task)


@pytest.mark.parametrize("whole", [True, False])
def test_tiles_and_copies_are_learnt_from_and_the_whole_where_it_is_wanted(whole: bool, tmp_path: Path) -> None:
    rows = Context(TASK, INPUTS, small_recipe(whole=whole), TRAIN, tmp_path).rows(np.array([3]))
    assert sorted(INPUTS.view[rows]) == ["copy 1", "tile", "tile", *(["whole"] if whole else [])]
    assert set(INPUTS.owner[rows]) == {3}


def test_the_head_learns_from_both_views(tmp_path: Path) -> None:
    with mock.patch.object(Statistics, "examples", autospec=True, side_effect=Statistics.examples) as made:
        run(tmp_path, small_recipe())
    sizes = [len(call.args[1]) for call in made.call_args_list]
    assert sizes[0] == 4 * 18  # rows of all training clips; `examples` gives each twice


def test_silent_held_out_speakers_do_not_stop_a_fit(tmp_path: Path) -> None:
    recipe = small_recipe(head_learning=None, learning=plan(2, share=0.3))
    _, held = hold_out(TASK.clips, TRAIN.tolist(), share=0.3, seed=recipe.seed)
    fitted = run(tmp_path, recipe, drawn_inputs(TASK, silent=held))
    assert (fitted.temperature, fitted.held_out_uar) == (1, 0)


def test_a_recipe_reads_back_as_it_was() -> None:
    recipe = small_recipe()
    assert msgspec.json.decode(recipe.to_json(), type=NetworkRecipe) == recipe
