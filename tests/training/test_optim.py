"""The learning rate of every step and depth, and the average against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emovox.models.network import Network
from emovox.schema.errors import TrainingError
from emovox.training.optim import EMA, decay_at, learning_rate_at, make_optimiser, set_learning_rate
from emovox.training.plan import Optimiser
from tests.training.tiny import TinyEncoder, network


def test_up_in_a_line_and_down_along_a_cosine() -> None:
    plan = Optimiser(steps=100, learning_rate=2.0, warm_up=0.2)
    rates = np.array([learning_rate_at(step, plan) for step in range(100)])
    np.testing.assert_allclose(rates[:20], np.arange(1, 21) / 10)
    np.testing.assert_allclose(rates[20:], 1 + np.cos(np.pi * np.arange(80) / 80))
    assert (rates > 0).all()


@pytest.mark.parametrize("warm_up", [0.0, 1.0])
def test_without_one_of_the_two(warm_up: float) -> None:
    rates = [learning_rate_at(step, Optimiser(steps=10, learning_rate=1.0, warm_up=warm_up)) for step in range(10)]
    assert rates == sorted(rates, reverse=warm_up == 0)
    assert max(rates) == 1.0


def test_a_single_step() -> None:
    assert learning_rate_at(0, Optimiser(steps=1, learning_rate=0.5)) == 0.5


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
    set_learning_rate(optimiser, 0.8)
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
    optimiser = make_optimiser(learner, Optimiser(learning_rate=0.3, depth_decay=0.5))
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


def followed(values: list[float], decay: float) -> tuple[Network, EMA]:
    """The weights of a network become these values, one a step."""
    learner = network()
    with torch.no_grad():
        learner.head.classify.weight.fill_(values[0])
        ema = EMA(learner, decay)
        for value in values[1:]:
            learner.head.classify.weight.fill_(value)
            ema.update_parameters(learner)
    return learner, ema


def test_the_mean_follows_the_formula() -> None:
    values = [1.0, 5.0, -2.0, 4.0]
    wanted = values[0]
    for step, value in enumerate(values[1:]):
        decay = min(0.9, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * value
    learner, ema = followed(values, 0.9)
    assert ema.module.head.classify.weight[0, 0].item() == pytest.approx(wanted, rel=1e-6)
    assert learner.head.classify.weight[0, 0].item() == 4.0


def test_the_decay_rises_to_its_value() -> None:
    decays = [decay_at(step, 0.95) for step in range(1000)]
    assert decays == sorted(decays)
    assert decays[0] == 0.1
    assert decays[-1] == 0.95


def test_statistics_and_frozen_weights_are_copied() -> None:
    learner = network()
    learner.encoder.requires_grad_(False)
    frozen = learner.encoder.get_parameter("lower.weight").clone()
    ema = EMA(learner, 0.5)
    learner.train()(torch.randn(4, 3, 5))
    ema.update_parameters(learner)
    assert torch.equal(ema.module.head.mean, learner.head.mean)
    assert torch.equal(ema.module.encoder.get_parameter("lower.weight"), frozen)
