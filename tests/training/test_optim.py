"""The rate of every step and depth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emovox.schema.errors import TrainingError
from emovox.training.optim import make_optimiser, rate_at, set_rate
from emovox.training.plan import Optimiser
from tests.training.tiny import TinyEncoder, network


def test_up_in_a_line_and_down_along_a_cosine() -> None:
    plan = Optimiser(steps=100, rate=2.0, warm_up=0.2)
    rates = np.array([rate_at(step, plan) for step in range(100)])
    np.testing.assert_allclose(rates[:20], np.arange(1, 21) / 10)
    np.testing.assert_allclose(rates[20:], 1 + np.cos(np.pi * np.arange(80) / 80))
    assert (rates > 0).all()


@pytest.mark.parametrize("warm_up", [0.0, 1.0])
def test_without_one_of_the_two(warm_up: float) -> None:
    rates = [rate_at(step, Optimiser(steps=10, rate=1.0, warm_up=warm_up)) for step in range(10)]
    assert rates == sorted(rates, reverse=warm_up == 0)
    assert max(rates) == 1.0


def test_a_single_step() -> None:
    assert rate_at(0, Optimiser(steps=1, rate=0.5)) == 0.5


def by_name(optimiser: torch.optim.Optimizer, learner: torch.nn.Module) -> dict[str, tuple[float, float]]:
    names = {id(parameter): name for name, parameter in learner.named_parameters()}
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimiser.param_groups
        for parameter in group["params"]
    }


def test_deeper_layers_learn_slower_and_vectors_do_not_decay() -> None:
    learner = network()
    optimiser = make_optimiser(learner, Optimiser(depth_decay=0.5, weight_decay=0.1))
    set_rate(optimiser, 0.8)
    found = by_name(optimiser, learner)
    assert found["encoder.lower.weight"] == (0.2, 0.1)
    assert found["encoder.upper.weight"] == (0.4, 0.1)
    assert found["encoder.upper.bias"] == (0.4, 0.0)
    assert found["head.classify.weight"] == (0.8, 0.1)
    assert found["head.hidden.2.weight"] == (0.8, 0.0)  # of the batch normalisation
    assert set(found) == dict(learner.named_parameters()).keys()


@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_every_parameter_is_in_one_group(decay: float) -> None:
    groups = make_optimiser(network(), Optimiser(weight_decay=decay)).param_groups
    numbers = [id(parameter) for group in groups for parameter in group["params"]]
    assert len(numbers) == len(set(numbers)) == len(list(network().parameters()))


def test_what_is_frozen_is_left_out() -> None:
    learner = network()
    for parameter in learner.encoder.parameters():
        parameter.requires_grad = False
    learner.encoder.depths = lambda: [[]]  # type: ignore[method-assign]
    optimiser = make_optimiser(learner, Optimiser(rate=0.3, depth_decay=0.5))
    assert {rate for rate, _ in by_name(optimiser, learner).values()} == {0.3}


def test_a_parameter_that_no_depth_names_is_an_error() -> None:
    learner = network()
    assert isinstance(learner.encoder, TinyEncoder)
    lower = list(learner.encoder.lower.parameters())
    learner.encoder.depths = lambda: [lower]  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match=r"encoder\.upper\.weight: got 2 parameters that Encoder\.depths\(\) and"):
        make_optimiser(learner, Optimiser())


def test_a_network_in_which_nothing_learns_is_an_error() -> None:
    learner = network().requires_grad_(False)
    learner.encoder.depths = list  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="a network without a parameter that learns, expected some"):
        make_optimiser(learner, Optimiser())
