"""The moving average against its formula, and that weights come back as they were."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from emovox.training.average import Average, decay_at


def followed(values: list[float], decay: float) -> tuple[nn.Linear, Average]:
    layer = nn.Linear(1, 1)
    nn.init.constant_(layer.weight, values[0])
    average = Average(layer, decay)
    for step, value in enumerate(values[1:]):
        nn.init.constant_(layer.weight, value)
        average.update(step)
    return layer, average


def test_the_mean_follows_the_formula() -> None:
    values = [1.0, 5.0, -2.0, 4.0]
    wanted = values[0]
    for step, value in enumerate(values[1:]):
        decay = min(0.9, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * value
    _, average = followed(values, 0.9)
    assert float(average.state_dict()["weight"]) == pytest.approx(wanted, rel=1e-6)


def test_the_decay_rises_to_its_value() -> None:
    decays = [decay_at(step, 0.95) for step in range(1000)]
    assert decays == sorted(decays)
    assert decays[0] == 0.1
    assert decays[-1] == 0.95


def test_the_average_is_in_place_as_long_as_the_block_lasts() -> None:
    layer, average = followed([0.0, 1.0], 0.9)
    inside = float(average.state_dict()["weight"])
    with average.swapped():
        assert layer.weight.item() == inside != 1.0
    assert layer.weight.item() == 1.0
    assert float(average.state_dict()["weight"]) == inside


def test_statistics_and_frozen_weights_are_not_averaged() -> None:
    learner = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    learner[0].requires_grad_(False)
    average = Average(learner, 0.5)
    assert set(average.state_dict()) == {"1.weight", "1.bias"}
    learner.train()(torch.randn(4, 2))
    with average.swapped():
        assert (learner[1].get_buffer("running_mean") != 0).any()


def test_no_decay_is_no_average() -> None:
    layer, average = followed([0.0, 1.0], 0.0)
    assert average.state_dict() == {}
    average.swap()
    assert layer.weight.item() == 1.0


def test_a_state_is_taken_over() -> None:
    _, average = followed([0.0, 1.0, 2.0], 0.9)
    _, other = followed([0.0], 0.9)
    other.load_state_dict(average.state_dict())
    assert float(other.state_dict()["weight"]) == float(average.state_dict()["weight"])
    with pytest.raises(KeyError, match="weight"):
        other.load_state_dict({})
