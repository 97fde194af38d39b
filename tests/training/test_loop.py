"""The loop: what it learns, what it leaves in the folder, and how it stops."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from emovox.models.network import Network
from emovox.schema.errors import ConfigError, TrainingError
from emovox.training.data.examples import Batch, vectors
from emovox.training.loop import learn
from emovox.training.objectives import Outputs, make_objectives
from emovox.training.plan import Draw, Loss, Plan, Stopping
from tests.evaluation.pictures import assert_drawn
from tests.training.tiny import (
    CLASSES,
    TinyEncoder,
    clips,
    drawn,
    examples_of,
    losses,
    network,
    share_right,
    small_plan,
    task,
    whole_plan,
)

ROUNDING = 1e-6
"""Sums of float32 in another order."""

SMALL_RUN = [0.968697, 1.046972, 0.900881, 0.885037, 1.023437, 0.983262]
"""Losses of six steps, as first measured."""

LOSS_TOLERANCE = 2e-4
"""Between processors and versions of torch, over a dozen steps."""


def test_it_learns(tmp_path: Path) -> None:
    learner = network()
    before = share_right(learner.eval())
    learnt = learn(learner, clips(), small_plan(150, batch=24), seed=0, folder=tmp_path, key="k")
    assert before < 0.6
    assert share_right(learner) > 0.9
    assert np.mean(losses(learnt)[-20:]) < 0.5 * np.mean(losses(learnt)[:20])
    assert not learner.training


def test_losses_of_a_small_run(tmp_path: Path) -> None:
    learnt = learn(network(plain=True), clips(), small_plan(6), seed=3, folder=tmp_path, key="k")
    assert losses(learnt) == pytest.approx(SMALL_RUN, abs=LOSS_TOLERANCE)


def test_steps_of_b_are_one_of_k_times_b(tmp_path: Path) -> None:
    found = []
    for batch, accumulate in ((24, 1), (8, 3)):
        learner = network(plain=True)
        plan = small_plan(5, batch=batch, accumulate=accumulate, grad_clip=0.0)
        learnt = learn(learner, clips(), plan, seed=1, folder=tmp_path / str(batch), key="k")
        weights = torch.cat([parameter.detach().flatten() for parameter in learner.parameters()])
        state = torch.load(tmp_path / str(batch) / "checkpoint.pt", weights_only=True)["optimiser"]["state"]
        # Adam hides a gradient that is too long by a factor: its moments tell
        moments = torch.cat([each["exp_avg"].flatten() for each in state.values()])
        found.append((losses(learnt), weights, moments))
    assert found[1][0] == pytest.approx(found[0][0], abs=ROUNDING)
    torch.testing.assert_close(found[1][1], found[0][1], atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1][2], found[0][2], atol=ROUNDING, rtol=0)
    assert found[0][2].abs().max() > 100 * ROUNDING


def test_the_seed_decides(tmp_path: Path) -> None:
    found = [
        losses(learn(network(), clips(), whole_plan(), seed=seed, folder=tmp_path / name, key="k"))
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert found[0] == found[1] != found[2]


def test_random_numbers_of_the_caller_are_left_alone(tmp_path: Path) -> None:
    learner = network()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    learn(learner, clips(), whole_plan(), seed=3, folder=tmp_path, key="k")
    assert (torch.get_rng_state() == before).all()


def test_the_folder_holds_logs_curves_and_where_time_went(tmp_path: Path) -> None:
    said: list[tuple[int, int, str]] = []
    learnt = learn(
        *(network(), clips(), whole_plan()),
        seed=3,
        folder=tmp_path / "run",
        key="k",
        validate=share_right,
        report=lambda *words: said.append(words),
    )
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *("checkpoint.pt", "curves.png", "log.csv", "steps.json", "tensorboard")
    }
    assert_drawn((tmp_path / "run" / "curves.png").read_bytes())
    about = json.loads((tmp_path / "run" / "steps.json").read_text())
    assert about["steps"] == 12
    assert set(about["seconds"]) == {"data", "forward", "backward", "optimiser", "validation", "rest"}
    assert about["seconds"] == pytest.approx(learnt.seconds, abs=1e-3)
    assert [row.step for row in learnt.history if row.uar is not None] == [3, 6, 9, 12]
    assert said[-1][:2] == (12, 12)
    assert "UAR" in said[-1][2]


class Rising:
    """A validation that gives what it is told to, and keeps the weights that it saw."""

    def __init__(self, *uars: float) -> None:
        self.uars, self.seen = list(uars), list[Tensor]()

    def __call__(self, network: Network) -> float:
        assert not network.training
        self.seen.append(network.head.classify.weight.detach().clone())
        return self.uars[len(self.seen) - 1]


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_early_stopping_keeps_the_best(tmp_path: Path, average: float) -> None:
    validate = Rising(0.5, 0.7, 0.6, 0.7, 0.9)
    plan = msgspec.structs.replace(small_plan(30, average=average), stopping=Stopping(every=2, patience=2))
    learner = network()
    learnt = learn(learner, clips(), plan, seed=0, folder=tmp_path, key="k", validate=validate)
    assert len(learnt.history) == 8  # two measurements after step 4 brought nothing
    assert (learnt.uar, learnt.best_step) == (0.7, 4)
    torch.testing.assert_close(learner.head.classify.weight.detach(), validate.seen[1], rtol=0, atol=0)
    again = network()
    learn(again, clips(), plan, seed=0, folder=tmp_path, key="k", validate=Rising())  # stays stopped
    torch.testing.assert_close(again.head.classify.weight.detach(), validate.seen[1], rtol=0, atol=0)


def test_the_average_is_measured_and_used(tmp_path: Path) -> None:
    plain, averaged, measured = network(), network(), network()
    learn(plain, clips(), small_plan(average=0.0), seed=0, folder=tmp_path / "a", key="k")
    learn(averaged, clips(), small_plan(average=0.9), seed=0, folder=tmp_path / "b", key="k")
    validate = Rising(1.0)
    learn(measured, clips(), small_plan(average=0.9), seed=0, folder=tmp_path / "c", key="k", validate=validate)
    weight = averaged.head.classify.weight
    assert (weight != plain.head.classify.weight).any()
    assert (weight == measured.head.classify.weight).all()
    assert (weight == validate.seen[0]).all()


def test_nan_stops_with_the_clip_and_keeps_the_last_good_state(tmp_path: Path) -> None:
    values = drawn()
    examples = clips(lambda row: values[row] * np.float32(np.nan if row // 2 == 17 else 1))
    with pytest.raises(TrainingError, match=r"step (\d+): the loss is no longer .*; clips: casia 17; check") as error:
        learn(network(), examples, small_plan(50), seed=2, folder=tmp_path, key="k")
    step = int(str(error.value).split()[1][:-1])
    assert step > 1
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert len(content["history"]) == step - 1
    assert all(bool(value.isfinite().all()) for value in content["weights"].values())
    assert len((tmp_path / "log.csv").read_text().splitlines()) == step


class Overflowing(TinyEncoder):
    """The slope of a root at 0 is infinite, its value is not."""

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().pool(inputs, mask) + (self.upper.bias * 0).abs().sqrt()


def test_a_gradient_that_is_no_number_stops_before_it_does_harm(tmp_path: Path) -> None:
    learner = Network(Overflowing(), network(plain=True).head)
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    with pytest.raises(
        TrainingError, match=r"step 1: the gradient is no longer .*; clips: (\w+ \d\d, ){7}\w+ \d\d; check"
    ):
        learn(learner, clips(), small_plan(), seed=0, folder=tmp_path, key="k")
    assert all(bool((value == before[name]).all()) for name, value in learner.state_dict().items())


def test_a_network_that_diverges_names_the_batch(tmp_path: Path) -> None:
    learner = network(plain=True)
    torch.nn.init.constant_(learner.head.classify.bias, torch.inf)
    with pytest.raises(TrainingError, match=r"step 1: the loss is no longer .*; clips: (\w+ \d\d, ){7}\w+ \d\d; check"):
        learn(learner, clips(), small_plan(), seed=0, folder=tmp_path, key="k")


def test_clipping_limits_a_step(tmp_path: Path) -> None:
    rates = {}
    for clip in (0.0, 1e-9):
        learner = network(plain=True)
        plan = small_plan(1, grad_clip=clip, average=0.0, weight_decay=0.0, warm_up=0.0)
        learn(learner, clips(), plan, seed=0, folder=tmp_path / str(clip), key="k")
        change = learner.head.classify.bias - network(plain=True).head.classify.bias
        rates[clip] = change.abs().max().item()
    assert rates[0.0] == pytest.approx(0.02, rel=1e-3)  # the first step of Adam is as long as the rate
    assert rates[1e-9] < 0.01  # gradients under Adam's epsilon of 1e-8


def test_vectors_in_memory_are_learnt_like_frames(tmp_path: Path) -> None:
    means = np.stack([values.mean(0) for values in drawn()])
    kinds = (replace(clips(), load=vectors(means)), examples_of(list(means[:, None]), task()))
    found = [
        losses(learn(network(), each, whole_plan(), seed=0, folder=tmp_path / str(number), key="k"))
        for number, each in enumerate(kinds)
    ]
    assert found[0] == found[1]
    assert found[0][-1] < found[0][0]


def test_half_precision(tmp_path: Path) -> None:
    full = learn(network(), clips(), small_plan(), seed=0, folder=tmp_path / "32", key="k")
    half = learn(network(), clips(), small_plan(precision="bf16-mixed"), seed=0, folder=tmp_path / "16", key="k")
    assert losses(half) == pytest.approx(losses(full), abs=0.05)  # bfloat16 has 8 bits
    assert losses(half) != losses(full)


class Recurrent(Network):
    """A network with an LSTM, which is not used."""

    def __init__(self) -> None:
        found = network(plain=True)
        super().__init__(found.encoder, found.head)
        self.lstm = torch.nn.LSTM(2, 2).requires_grad_(False)


@pytest.mark.filterwarnings("always")
def test_without_an_lstm_in_half_precision_it_trains_in_single(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovox.training.optim.runs_in_bfloat16", lambda _: False)
    full = learn(Recurrent(), clips(), small_plan(), seed=0, folder=tmp_path / "32", key="k")
    with pytest.warns(UserWarning, match=r"no LSTM in bfloat16; training in 32-true, .* set optimiser\.precision"):
        half = learn(Recurrent(), clips(), small_plan(precision="bf16-mixed"), seed=0, folder=tmp_path / "16", key="k")
    assert losses(half) == losses(full)


def test_plans_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    plan = Plan(loss=Loss(alpha={"bored": 2.0}))
    with pytest.raises(ConfigError, match=r"loss\.alpha has bored, expected some of happy, sad, angry"):
        learn(network(), clips(), plan, seed=0, folder=tmp_path, key="k")
    three = cast(Fabric, SimpleNamespace(world_size=3, device=torch.device("cpu")))
    with pytest.raises(ConfigError, match=r"optimiser\.batch is 8, expected a multiple of the 3 processes"):
        learn(network(), clips(), small_plan(), seed=0, folder=tmp_path, key="k", fabric=three)


def test_labels_that_are_masked_are_refused(tmp_path: Path) -> None:
    own = clips()
    own.task.allowed[2, own.task.labels[2]] = False
    with pytest.raises(TrainingError, match=r"ravdess 02: got a class that its corpus does not have \(2 such rows\)"):
        learn(network(), own, small_plan(), seed=0, folder=tmp_path, key="k")
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    none = replace(clips(), owner=clips().owner[:0])
    with pytest.raises(TrainingError, match="got no clip to learn from, expected at least one"):
        learn(network(), none, small_plan(), seed=0, folder=tmp_path, key="k")


def test_alpha_and_balance_reach_the_loss(tmp_path: Path) -> None:
    own = task()
    named = tuple(msgspec.structs.replace(c, corpus="a" if n < 3 else "b") for n, c in enumerate(own.clips))
    uneven = examples_of(drawn(), replace(own, clips=named, allowed=np.ones_like(own.allowed)))
    plans = [
        Plan(optimiser=small_plan().optimiser),
        Plan(optimiser=small_plan().optimiser, loss=Loss(alpha=dict.fromkeys(CLASSES, 2.0))),
        Plan(optimiser=small_plan().optimiser, draw=Draw(balance="none")),
    ]
    found = [
        losses(learn(network(plain=True), uneven, plan, seed=0, folder=tmp_path / str(number), key="k"))[0]
        for number, plan in enumerate(plans)
    ]
    assert found[1] == pytest.approx(2 * found[0], rel=1e-6)
    assert found[2] != found[0]


def test_an_objective_over_speakers_needs_no_change_of_the_loop(tmp_path: Path) -> None:
    plan, seen = small_plan(40), set[int]()

    def apart(outputs: Outputs, batch: Batch) -> Tensor:
        """Pull the statistics of a speaker's rows to their mean, as a contrastive objective does."""
        seen.update(batch.speaker.tolist())
        same = (batch.speaker[:, None] == batch.speaker[None]).float()
        means = same @ outputs["statistics"] / same.sum(1, keepdim=True)
        return (outputs["statistics"] - means).square().mean(1)

    spread = {}
    for weight in (0.0, 20.0):
        learner = network()
        objectives = (*make_objectives(plan, CLASSES), (weight, apart))
        learn(learner, clips(), plan, seed=0, folder=tmp_path / str(weight), key="k", objectives=objectives)
        batch = clips().batch(np.arange(48))
        spread[weight] = float(apart(learner(batch.inputs, batch.mask), batch).mean().detach())
    assert seen == set(range(6))
    assert spread[20.0] < 0.5 * spread[0.0]
