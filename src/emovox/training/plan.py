"""How a network learns: the tables [loss], [optimiser], [mixing] … of a recipe, as frozen typed structures."""

from __future__ import annotations

import math
from typing import Literal

import msgspec


class Loss(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is made small.

    `gamma` weighs easy clips down (focal loss; 0 is cross-entropy), `alpha` weighs classes by name (others 1),
    `smoothing` is the share of the target that is spread over all classes of the clip's corpus. `hint` weighs the mean
    squared distance to a teacher's embedding, which comes to it.
    """

    gamma: float = 0.0
    alpha: dict[str, float] = {}
    smoothing: float = 0.0
    hint: float = 0.0


class SpecAugment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stripes of frames and of channels that are set to 0, with this probability a clip; widths as shares of all."""

    probability: float = 0.0
    time: float = 0.1
    n_time: int = 2
    channels: float = 0.1
    n_channels: int = 2


class Mixup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A batch is mixed with itself in another order, with this probability; shares are drawn from Beta(beta, beta)."""

    probability: float = 0.0
    beta: float = 0.4


class Optimiser(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """AdamW with warm-up and cosine.

    A step draws `batch` clips `accumulate` times over. `learning_rate` is the highest of the last layers; every layer
    below has `depth_decay` times that of the next. `warm_up` is a share of the `steps`, `grad_clip` the most that the
    norm of all gradients may be (0: no limit), `average` the decay a step of the average over weights (EMA) that is
    used in the end (0: the last weights). `precision` is Lightning Fabric's: "32-true", "16-mixed" or "bf16-mixed".
    """

    steps: int = 1200
    batch: int = 64
    accumulate: int = 1
    learning_rate: float = 1e-3
    depth_decay: float = 1.0
    weight_decay: float = 0.05
    warm_up: float = 0.1
    grad_clip: float = 1.0
    average: float = 0.0
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which clips come how often: with "corpus" every corpus alike, with "class" every class of a corpus alike."""

    balance: Literal["none", "corpus", "class", "corpus-class"] = "corpus"


class Stopping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Early stopping on held-out training speakers.

    `share` of the speakers of every corpus with at least `least` training speakers; 0 holds nobody out, and the last
    step counts. UAR is measured every `every` steps; training stops when it has not risen `patience` times, and the
    best weights are used.
    """

    share: float = 0.0
    least: int = 2
    every: int = 200
    patience: int = 5


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One run of the loop.

    `crop` is the most frames of a clip that a step learns from, a piece that begins at random (0: all).
    """

    loss: Loss = Loss()
    optimiser: Optimiser = Optimiser()
    crop: int = 0
    mixup: Mixup = Mixup()
    spec_augment: SpecAugment = SpecAugment()
    draw: Draw = Draw()
    stopping: Stopping = Stopping()
    checkpoint_seconds: float = 60.0


def plan_problems(plan: Plan) -> list[str]:
    """Name what is out of range: key, what it is, what was expected.

    >>> plan_problems(Plan(optimiser=Optimiser(steps=0)))
    ['optimiser.steps is 0, expected 1 or more']
    """
    counts = {
        "optimiser.steps": plan.optimiser.steps,
        "optimiser.batch": plan.optimiser.batch,
        "optimiser.accumulate": plan.optimiser.accumulate,
        "spec_augment.n_time": plan.spec_augment.n_time,
        "spec_augment.n_channels": plan.spec_augment.n_channels,
        "stopping.least": plan.stopping.least,
        "stopping.every": plan.stopping.every,
        "stopping.patience": plan.stopping.patience,
    }
    shares = {
        "optimiser.warm_up": plan.optimiser.warm_up,
        "mixup.probability": plan.mixup.probability,
        "spec_augment.probability": plan.spec_augment.probability,
        "spec_augment.time": plan.spec_augment.time,
        "spec_augment.channels": plan.spec_augment.channels,
    }
    parts = {
        "loss.smoothing": plan.loss.smoothing,
        "optimiser.average": plan.optimiser.average,
        "stopping.share": plan.stopping.share,
    }
    sizes = {
        "loss.gamma": plan.loss.gamma,
        "loss.hint": plan.loss.hint,
        "optimiser.weight_decay": plan.optimiser.weight_decay,
        "optimiser.grad_clip": plan.optimiser.grad_clip,
        "checkpoint_seconds": plan.checkpoint_seconds,
        "crop": plan.crop,
        **{f"loss.alpha.{name}": value for name, value in plan.loss.alpha.items()},
    }
    above = {
        "optimiser.learning_rate": plan.optimiser.learning_rate,
        "optimiser.depth_decay": plan.optimiser.depth_decay,
        "mixup.beta": plan.mixup.beta,
    }
    return [
        *(f"{key} is {value}, expected 1 or more" for key, value in counts.items() if value < 1),
        *(f"{key} is {value}, expected 0 to 1" for key, value in shares.items() if not 0 <= value <= 1),
        *(f"{key} is {value}, expected 0 to less than 1" for key, value in parts.items() if not 0 <= value < 1),
        *(f"{key} is {value}, expected 0 or more" for key, value in sizes.items() if not 0 <= value < math.inf),
        *(f"{key} is {value}, expected more than 0" for key, value in above.items() if not 0 < value < math.inf),
    ]
