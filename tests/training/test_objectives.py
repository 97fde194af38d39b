"""The loss against torch's own, and where a class is missing."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from emovox.training.data.examples import Batch
from emovox.training.objectives import classification_loss, make_objectives, weighted_loss
from emovox.training.plan import Loss, Plan

ROUNDING = 1e-6
"""float32, values around 1."""

ALL = torch.ones(6, 4, dtype=torch.bool)


def logits(seed: int = 0) -> torch.Tensor:
    return 2 * torch.randn(6, 4, generator=torch.Generator().manual_seed(seed))


def hard() -> torch.Tensor:
    return torch.eye(4)[torch.tensor([0, 1, 2, 3, 0, 1])]


def soft() -> torch.Tensor:
    return logits(1).softmax(1)


@pytest.mark.parametrize("targets", [hard(), soft()], ids=["hard", "soft"])
def test_plainly_it_is_cross_entropy(targets: torch.Tensor) -> None:
    found = classification_loss(logits(), targets, ALL)
    torch.testing.assert_close(found, functional.cross_entropy(logits(), targets, reduction="none"))


def test_smoothing_is_that_of_torch_when_all_classes_are_allowed() -> None:
    wanted = functional.cross_entropy(logits(), hard(), reduction="none", label_smoothing=0.2)
    torch.testing.assert_close(classification_loss(logits(), hard(), ALL, smoothing=0.2), wanted)


def test_smoothing_and_softmax_stay_on_allowed_classes() -> None:
    allowed = torch.tensor([[True, True, True, False]] * 6)
    targets = hard()
    targets[3] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    wanted = functional.cross_entropy(logits()[:, :3], targets[:, :3], reduction="none", label_smoothing=0.3)
    torch.testing.assert_close(classification_loss(logits(), targets, allowed, smoothing=0.3), wanted)


def test_the_focal_weight_and_alpha_by_hand() -> None:
    alpha = torch.tensor([0.5, 1.0, 2.0, 1.0])
    p = logits().softmax(1)
    wanted = -(alpha * soft() * (1 - p) ** 2 * p.log()).sum(1)
    found = classification_loss(logits(), soft(), ALL, gamma=2.0, alpha=alpha)
    torch.testing.assert_close(found, wanted, atol=ROUNDING, rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_a_missing_class_has_no_gradient_and_no_nan(gamma: float) -> None:
    values = logits().requires_grad_()
    allowed = torch.tensor([[True, False, True, False]] * 5 + [[True, False, False, False]])  # one row has no choice
    targets = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).expand(6, 4)
    classification_loss(values, targets, allowed, gamma=gamma, smoothing=0.1).sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad.isfinite().all()
    assert (values.grad[:, [1, 3]] == 0).all()
    assert (values.grad[:5, [0, 2]] != 0).all()
    assert (values.grad[5] == 0).all()


def test_a_sure_answer_has_a_finite_slope_at_a_small_gamma() -> None:
    values = torch.tensor([[100.0, 0.0, 0.0, 0.0]], requires_grad=True)
    classification_loss(values, torch.eye(4)[:1], ALL[:1], gamma=0.5).sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad.isfinite().all()


def test_half_precision_is_computed_in_full() -> None:
    found = classification_loss(logits().bfloat16(), hard(), ALL)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, classification_loss(logits().bfloat16().float(), hard(), ALL))


def test_a_hint_adds_its_mean_squared_distance() -> None:
    code = torch.zeros(6, dtype=torch.int64)
    mask, hints = torch.ones(6, 3, dtype=torch.bool), torch.ones(6, 2)
    batch = Batch(torch.zeros(6, 3, 2), mask, soft(), ALL, code, code, code, ("",) * 6, hints)
    guesses = torch.tensor([[1.0, 1.0], [0.0, 0.0], [3.0, 1.0], [1.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
    outputs, plain = {"logits": logits(), "hints": guesses}, classification_loss(logits(), soft(), ALL, gamma=1.0)
    names = [str(number) for number in range(4)]
    found = weighted_loss(make_objectives(Plan(loss=Loss(gamma=1.0, hint=0.5)), names), outputs, batch)
    torch.testing.assert_close(found - plain, torch.tensor([0, 0.5, 1, 0.25, 0, 0]), atol=ROUNDING, rtol=0)
    unweighed = weighted_loss(make_objectives(Plan(loss=Loss(gamma=1.0)), names), outputs, batch)
    torch.testing.assert_close(unweighed, plain, rtol=0, atol=0)
