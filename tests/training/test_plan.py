"""Values out of range are named by their key."""

from __future__ import annotations

import pytest

from emovox.training.plan import (
    Adversary,
    Loss,
    Mixup,
    Optimiser,
    Plan,
    SpecAugment,
    Stopping,
    plan_problems,
)


def test_defaults_are_in_range() -> None:
    assert plan_problems(Plan()) == []


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (Plan(optimiser=Optimiser(batch=0)), "optimiser.batch is 0, expected 1 or more"),
        (Plan(optimiser=Optimiser(warm_up=1.5)), "optimiser.warm_up is 1.5, expected 0 to 1"),
        (Plan(optimiser=Optimiser(average=1.0)), "optimiser.average is 1.0, expected 0 to less than 1"),
        (Plan(optimiser=Optimiser(learning_rate=float("nan"))), "optimiser.learning_rate is nan, expected more than 0"),
        (Plan(optimiser=Optimiser(depth_decay=0.0)), "optimiser.depth_decay is 0.0, expected more than 0"),
        (Plan(loss=Loss(gamma=-1.0)), "loss.gamma is -1.0, expected 0 or more"),
        (Plan(loss=Loss(alpha={"sad": -1.0})), "loss.alpha.sad is -1.0, expected 0 or more"),
        (Plan(adversary=Adversary(strength=11.0)), "adversary.strength is 11.0, expected 0 to 10"),
        (Plan(adversary=Adversary(strength=float("inf"))), "adversary.strength is inf, expected 0 to 10"),
        (Plan(mixup=Mixup(beta=0.0)), "mixup.beta is 0.0, expected more than 0"),
        (Plan(spec_augment=SpecAugment(time=2.0)), "spec_augment.time is 2.0, expected 0 to 1"),
        (Plan(stopping=Stopping(every=0, share=1.0)), "stopping.every is 0, expected 1 or more"),
    ],
)
def test_what_is_out_of_range_is_named(plan: Plan, problem: str) -> None:
    assert plan_problems(plan)[0] == problem


def test_all_problems_are_named_at_once() -> None:
    assert len(plan_problems(Plan(stopping=Stopping(every=0, share=1.0), checkpoint_seconds=-1.0))) == 3
