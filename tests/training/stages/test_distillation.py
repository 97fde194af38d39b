"""What a teacher says of clips, and the student that listens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import msgspec
import numpy as np
import pytest
import torch

from emovox.models.encoders import build_encoder
from emovox.models.head import Head, HeadConfig
from emovox.models.network import Network
from emovox.schema.errors import RecipeError
from emovox.training import loop
from emovox.training.checkpoint import State, save
from emovox.training.data.examples import DistillationTargets, Examples
from emovox.training.data.inputs import Inputs
from emovox.training.data.mixing import mixup
from emovox.training.data.statistics import measure, pooled
from emovox.training.data.task import task_folds
from emovox.training.loop import learn
from emovox.training.network import STAGES, NetworkMethod
from emovox.training.network_recipe import NetworkRecipe, Teacher
from emovox.training.optim import SCALE, make_optimiser
from emovox.training.plan import Loss, Mixup
from emovox.training.recipe import Data
from emovox.training.stages.distillation import Student, distillation_targets
from emovox.training.stages.encoder import held_out
from emovox.training.stages.stage import Context, Fitted, run_stages
from tests.models.small import MOBILE, small_encoders, write_whisper
from tests.training.rows import changed, drawn_inputs, drawn_task, joined, plan, small_recipe

SILENT = 4
TASK = joined(drawn_task(), drawn_task(("happy", "sad"), corpus="two"))
CLIPS = np.arange(30)
TRAIN = np.r_[0:18, 24:36]  # all but dee's, of both corpora
TEST = (*range(18, 24), *range(36, 40))
INPUTS = drawn_inputs(TASK, silent=[SILENT])
OTHERS = drawn_inputs(TASK, silent=[SILENT], seed=1)
"""Inputs of the teacher: other frames of the same clips."""


@pytest.fixture(scope="module", autouse=True)
def no_curves() -> Iterator[None]:
    """Half of the time of a small fit is its picture, which `test_loop` looks at."""
    with mock.patch.object(loop, "save_figure"):
        yield


def network(seed: int = 0) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = build_encoder(MOBILE)
        head = Head(encoder.n_statistics, len(TASK.classes), HeadConfig(hidden=6))
    scale = measure(pooled(encoder, INPUTS, INPUTS.select(CLIPS)))
    head.set_statistics(torch.from_numpy(scale.mean), torch.from_numpy(scale.deviation))
    return Network(encoder, head).eval()


def taught(share: float = 0.7, temperature: float = 2.0) -> DistillationTargets:
    return distillation_targets(TASK, INPUTS, CLIPS, network(), share=share, temperature=temperature)


def test_targets_are_shares_on_the_classes_of_the_corpus_and_the_label_keeps_its_part() -> None:
    found = taught().targets
    assert found.shape == (len(TASK.clips), len(TASK.classes))
    np.testing.assert_allclose(found[CLIPS].sum(1), 1, atol=1e-6)
    assert (found[~TASK.allowed] == 0).all()
    assert (found[CLIPS, TASK.labels[CLIPS]] >= 0.3).all()
    assert (found[CLIPS] > 0).sum() > 2 * len(CLIPS)
    assert (found[30:] == 0).all()


def test_share_and_temperature_move_targets_as_they_say() -> None:
    labels = np.eye(len(TASK.classes))[TASK.labels[CLIPS]]
    np.testing.assert_array_equal(taught(share=0).targets[CLIPS], labels)
    half, whole = taught(share=0.5).targets[CLIPS], taught(share=1).targets[CLIPS]
    np.testing.assert_allclose(half, (labels + whole) / 2, atol=1e-6)
    cold, hot = taught(share=1, temperature=0.1).targets[CLIPS], taught(share=1, temperature=10).targets[CLIPS]
    assert (cold.max(1) >= hot.max(1)).all()
    voiced = CLIPS[CLIPS != SILENT]
    np.testing.assert_array_equal(cold[voiced].argmax(1), hot[voiced].argmax(1))


def test_a_clip_without_speech_has_its_label_and_no_hint() -> None:
    found = taught()
    assert found.targets[SILENT].max() == 1
    assert (found.hints[SILENT] == 0).all()


def test_hints_have_mean_0_in_each_place_and_variance_1_over_all() -> None:
    hints = taught().hints[CLIPS[CLIPS != SILENT]]
    assert hints.shape == (29, 6)
    np.testing.assert_allclose(hints.mean(0), 0, atol=1e-5)
    assert np.square(hints).mean() == pytest.approx(1, rel=1e-3)


def test_a_student_guesses_only_while_it_learns() -> None:
    plain = network()
    student = Student(plain.encoder, plain.head, 5).eval()
    inputs, mask = INPUTS.padded(np.arange(4))
    torch.testing.assert_close(student(inputs, mask), plain(inputs, mask), rtol=0, atol=0)
    assert student.train()(inputs, mask)["hints"].shape == (4, 5)


def test_the_guess_learns_at_the_rate_of_the_head() -> None:
    plain = network()
    student = Student(plain.encoder, plain.head, 5)
    optimiser = plan().optimiser
    groups = make_optimiser(student, msgspec.structs.replace(optimiser, depth_decay=0.5)).param_groups
    rate = {id(parameter): group[SCALE] for group in groups for parameter in group["params"]}
    assert {rate[id(parameter)] for parameter in (*student.guess.parameters(), *student.head.parameters())} == {1.0}


def test_a_student_comes_to_its_teacher_s_embedding(tmp_path: Path) -> None:
    rows = INPUTS.select(CLIPS)
    targets = taught()
    plain = network(seed=1)
    student = Student(plain.encoder, plain.head, targets.hints.shape[1])
    examples = Examples(TASK, INPUTS.owner[rows], INPUTS.loader(rows), targets)
    steps = msgspec.structs.replace(plan(60), loss=Loss(hint=1.0))
    learn(student, examples, steps, seed=0, folder=tmp_path, key="")
    student.train()
    inputs, mask = INPUTS.padded(rows)
    with torch.no_grad():
        guesses = student(inputs, mask)["hints"].numpy()
    assert np.square(guesses - targets.hints[INPUTS.owner[rows]]).mean() < 0.5  # saying 0 is 1 off


def recipe(*, hint: float = 1.0, share: float = 0.7, **changes: object) -> NetworkRecipe:
    learning = msgspec.structs.replace(plan(12, share=0.3), loss=Loss(hint=hint))
    return small_recipe(teacher=Teacher(recipe=small_recipe(name="teacher"), share=share), learning=learning, **changes)


def run(folder: Path, recipe: NetworkRecipe, inputs: Inputs = INPUTS, teacher: Inputs | None = OTHERS) -> Fitted:
    return run_stages(STAGES, Context(TASK, inputs, recipe, TRAIN, folder, teacher_inputs=teacher))


def weights(fitted: Fitted) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in fitted.network.state_dict().values()])


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return run(tmp_path_factory.mktemp("taught"), recipe())


def test_a_teacher_changes_what_is_learnt_and_leaves_nothing_behind(fitted: Fitted, tmp_path: Path) -> None:
    alone = run(tmp_path / "alone", msgspec.structs.replace(recipe(hint=0.0), teacher=None), teacher=None)
    assert weights(alone).shape == weights(fitted).shape
    assert not torch.equal(weights(alone), weights(fitted))
    unheard = run(tmp_path / "unheard", recipe(hint=0.0, share=0.0))
    assert torch.equal(weights(alone), weights(unheard))
    assert torch.equal(weights(run(tmp_path / "again", recipe())), weights(fitted))


def test_the_teacher_knows_neither_test_clips_nor_held_out_speakers(fitted: Fitted, tmp_path: Path) -> None:
    plans = recipe()
    _, held = held_out(TASK, TRAIN, plans)
    assert len(held)
    others = changed(OTHERS, [*TEST, *held], np.nan)
    again = run(tmp_path, plans, changed(INPUTS, TEST, np.nan), others)
    assert torch.equal(weights(again), weights(fitted))
    assert again.temperature == fitted.temperature


def test_broken_off_in_the_teacher_and_in_the_student_it_goes_on(fitted: Fitted, tmp_path: Path) -> None:
    for stage in ("teacher/encoder", "teacher/head", "encoder"):
        saves = 0

        def dying(state: State, path: Path, *, key: str, stage: str = stage) -> None:
            nonlocal saves
            save(state, path, key=key)
            saves += path.parent == tmp_path / stage
            if saves == 3:
                raise KeyboardInterrupt

        with mock.patch.object(loop, "save", dying), pytest.raises(KeyboardInterrupt):
            run(tmp_path, recipe())
    assert torch.equal(weights(run(tmp_path, recipe())), weights(fitted))
    assert not (tmp_path / "teacher" / "inner-1").exists()  # nobody asks for its temperature


def test_a_fold_is_scored_by_the_student_with_both_inputs(tmp_path: Path) -> None:
    plans = recipe(data=Data(corpora=("own.jsonl", "two.jsonl"), protocol="joint"))
    fold = task_folds(TASK, plans.data, seed=plans.seed)[0]
    found = NetworkMethod(TASK, INPUTS, plans, teacher_inputs=OTHERS).fold(fold, tmp_path / "1")
    context = Context(TASK, INPUTS, plans, np.array(fold.train), tmp_path / "2", teacher_inputs=OTHERS)
    alone = run_stages(STAGES, context)
    assert found.temperature == alone.temperature
    assert found.scores["tile"].shape == (len(fold.test), len(TASK.classes))
    deaf = NetworkMethod(TASK, INPUTS, plans, teacher_inputs=INPUTS).fold(fold, tmp_path / "3")
    assert not np.array_equal(found.scores["tile"], deaf.scores["tile"], equal_nan=True)


def test_a_teacher_without_inputs_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="small: got no inputs of the teacher"):
        run(tmp_path, recipe(), teacher=None)


def test_a_teacher_of_an_encoder_that_does_not_learn_is_refused(tmp_path: Path) -> None:
    frozen = small_encoders(write_whisper(tmp_path / "weights"))["whisper"]
    with pytest.raises(RecipeError, match="got a teacher, but nothing of the encoder learns"):
        NetworkMethod.prepared(TASK, recipe(encoder=frozen), folder=tmp_path / "cache")


def test_a_teacher_has_inputs_of_its_own(tmp_path: Path) -> None:
    asked = []

    def made(_clips: object, plan: NetworkRecipe, **_others: object) -> Inputs:
        asked.append(plan.encoder)
        return INPUTS if plan.encoder == MOBILE else OTHERS

    wide = msgspec.structs.replace(MOBILE, width=12)
    plans = recipe()
    plans = msgspec.structs.replace(
        plans, teacher=Teacher(recipe=small_recipe(name="teacher", encoder=wide, copies={"own": 2}))
    )
    with mock.patch("emovox.training.network.recipe_inputs", made):
        method = NetworkMethod.prepared(TASK, plans, folder=tmp_path)
    assert (method.inputs, method.teacher_inputs) == (INPUTS, OTHERS)
    assert {MOBILE, wide} == set(asked)
    wrong = msgspec.structs.replace(plans, teacher=Teacher(recipe=small_recipe(name="teacher", copies={"none": 1})))
    with pytest.raises(RecipeError, match="teacher: copies has none, expected some of own, two"):
        NetworkMethod.prepared(TASK, wrong, folder=tmp_path)


def test_a_mixture_has_the_mixed_hints() -> None:
    rows = INPUTS.select(CLIPS)
    batch = Examples(TASK, INPUTS.owner[rows], INPUTS.loader(rows), taught()).batch(np.arange(20))
    assert batch.hints is not None
    linear = replace(batch, hints=batch.targets * 3)
    found = mixup(linear, Mixup(probability=1.0), torch.Generator().manual_seed(0))
    assert found.hints is not None
    torch.testing.assert_close(found.hints, found.targets * 3)
    assert not torch.equal(found.targets, batch.targets)
