"""The head: standardised by the batch while it learns, by fixed numbers afterwards, or by a speaker's."""

from __future__ import annotations

import pytest
import torch

from emovox.models.head import Head, HeadConfig

# float32, values of size 1
EXACT = 1e-5


@pytest.fixture
def statistics() -> torch.Tensor:
    """[40, 6], each column with a mean and deviation of its own."""
    torch.manual_seed(0)
    return torch.randn(40, 6) * torch.tensor([1.0, 3.0, 0.1, 10.0, 1.0, 2.0]) + torch.arange(6.0)


def head(**changes: object) -> Head:
    torch.manual_seed(1)
    return Head(6, 3, HeadConfig(**{"hidden": 8, "dropout_in": 0.0, "dropout": 0.0, **changes}))  # type: ignore[arg-type]


def test_while_it_learns_its_mean_and_scale_follow_the_batches(statistics: torch.Tensor) -> None:
    made = head().train()
    for _ in range(200):
        made(statistics)
    torch.testing.assert_close(made.mean, statistics.mean(0), atol=EXACT, rtol=EXACT)
    torch.testing.assert_close(made.scale, statistics.std(0), atol=1e-3, rtol=1e-3)


def test_then_both_ways_to_the_logits_are_one(statistics: torch.Tensor) -> None:
    made = head().train()
    made(statistics)
    made.eval()
    torch.testing.assert_close(
        made(statistics)["logits"], made.classify(made.embed(statistics)), atol=EXACT, rtol=EXACT
    )


def test_set_statistics_are_what_is_taken_off_and_divided_by(statistics: torch.Tensor) -> None:
    made = head().eval()
    mean, scale = statistics.mean(0), statistics.std(0)
    made.set_statistics(mean, scale)
    torch.testing.assert_close(made.mean, mean)
    torch.testing.assert_close(made.scale, scale)
    torch.testing.assert_close(
        made(statistics)["logits"], made.outputs((statistics - mean) / scale)["logits"], atol=EXACT, rtol=EXACT
    )


def test_a_speaker_s_statistics_replace_the_training_set_s(statistics: torch.Tensor) -> None:
    made = head().eval()
    made.set_statistics(statistics.mean(0), statistics.std(0))
    mean, scale = torch.full((6,), 2.0), torch.full((6,), 0.5)
    moved = (statistics - made.mean) / made.scale * scale + mean
    torch.testing.assert_close(made.embed(moved, mean, scale), made.embed(statistics), atol=EXACT, rtol=EXACT)
    assert not torch.allclose(made.embed(moved), made.embed(statistics), atol=0.1)


def test_dropout_acts_only_while_it_learns(statistics: torch.Tensor) -> None:
    made = head(dropout_in=0.5, dropout=0.5)
    assert torch.equal(made.eval()(statistics)["logits"], made(statistics)["logits"])
    made.train()
    assert not torch.allclose(made(statistics)["logits"], made(statistics)["logits"], atol=1e-2)


def test_a_plain_head_takes_statistics_as_they_are(statistics: torch.Tensor) -> None:
    made = head(plain=True).train()
    before = made(statistics)["logits"]
    assert torch.equal(made(statistics)["logits"], before)  # no batch is followed
    assert torch.equal(made.mean, torch.zeros(6))
    torch.testing.assert_close(made.scale, torch.ones(6), atol=EXACT, rtol=0)
    assert [type(layer).__name__ for layer in made.hidden] == ["Dropout", "Linear", "ReLU"]
