"""The plan of a training: the tables [loss], [optimiser], [mixup] … of a recipe, as frozen typed structures."""

from __future__ import annotations

import math
from typing import Literal

import msgspec


class Loss(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The loss.

    Attributes:
        gamma: >= 0; lowers the weight of easy clips (focal loss). 0 is cross-entropy.
        alpha: weight >= 0 of classes by name; 1 for classes that are not named.
        smoothing: share of the target, in [0, 1), that is spread over all classes of the clip's corpus.
        hint: weight >= 0 of the mean squared distance to a teacher's embedding, which is added; 0: none.
    """

    gamma: float = 0.0
    alpha: dict[str, float] = {}
    smoothing: float = 0.0
    hint: float = 0.0


class Adversary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An adversary that guesses from the embedding where a clip comes from; network and head learn to prevent it.

    Attributes:
        on: what it guesses; "": no adversary.
        strength: weight of its loss at the end, in [0, 10]. It rises from 0 (`objectives.rise`).
    """

    on: Literal["", "language", "corpus", "speaker"] = ""
    strength: float = 0.3


class SpecAugment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """SpecAugment: stripes of frames and channels that are set to 0.

    Attributes:
        probability: of a clip, in [0, 1].
        time: greatest width of a stripe of frames, as a share of the clip's frames in [0, 1].
        n_time: number of stripes of frames, at least 1.
        channels: greatest width of a stripe of channels, as a share of all channels in [0, 1].
        n_channels: number of stripes of channels, at least 1.
    """

    probability: float = 0.0
    time: float = 0.1
    n_time: int = 2
    channels: float = 0.1
    n_channels: int = 2


class Mixup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Mixup: a batch is mixed with itself in another order.

    Attributes:
        probability: of a batch, in [0, 1].
        beta: > 0; the share of each row is drawn from Beta(beta, beta).
    """

    probability: float = 0.0
    beta: float = 0.4


class Optimiser(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """AdamW with warm-up and cosine.

    Attributes:
        steps: number of steps, at least 1.
        passes: passes over the training rows, >= 0. The number of steps then follows the amount of data, from 200 up to
            `steps` (`emovox.training.settle`). 0: always `steps`.
        batch: rows of a batch, at least 1; of all processes together.
        accumulate: batches of a step (gradient accumulation), at least 1.
        learning_rate: highest learning rate of the last layers, > 0.
        depth_decay: > 0; the learning rate of a layer is this times that of the layer above.
        weight_decay: >= 0; of matrices only.
        warm_up: share of the steps, in [0, 1], in which the learning rate rises.
        grad_clip: greatest norm of all gradients (gradient clipping); 0: no limit.
        average: decay per step of the average of the weights (EMA), in [0, 1), which is used in the end; 0: the last
            weights are used.
        precision: that of Lightning Fabric.
    """

    steps: int = 1200
    passes: float = 0.0
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
    """Frequencies of draws: with "corpus" all corpora equally, with "class" all classes of a corpus equally."""

    balance: Literal["none", "corpus", "class", "corpus-class"] = "corpus"


class Stopping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Early stopping on held-out training speakers.

    Attributes:
        share: of the speakers of a corpus that are held out, in [0, 1). 0: none; the weights of the last step are used.
        least: speakers are held out only of corpora with at least this number of training speakers.
        every: steps between two measurements of the UAR.
        patience: training stops after this number of measurements without a new best UAR; the best weights are used.
    """

    share: float = 0.0
    least: int = 2
    every: int = 200
    patience: int = 5


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One run of the training loop.

    Attributes:
        loss, adversary, optimiser, mixup, spec_augment, draw, stopping: the tables of these names.
        crop: greatest number of frames of a clip in a step, as a piece with a random start; 0: all frames.
        checkpoint_seconds: seconds between two checkpoints. One minute: little is lost, and saving costs little.
    """

    loss: Loss = Loss()
    adversary: Adversary = Adversary()
    optimiser: Optimiser = Optimiser()
    crop: int = 0
    mixup: Mixup = Mixup()
    spec_augment: SpecAugment = SpecAugment()
    draw: Draw = Draw()
    stopping: Stopping = Stopping()
    checkpoint_seconds: float = 60.0


def plan_problems(plan: Plan) -> list[str]:
    """Return a message for each value out of range: key, value, and what was expected.

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
        "optimiser.passes": plan.optimiser.passes,
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
    strength = plan.adversary.strength
    return [
        *([] if 0 <= strength <= 10 else [f"adversary.strength is {strength}, expected 0 to 10"]),
        *(f"{key} is {value}, expected 1 or more" for key, value in counts.items() if value < 1),
        *(f"{key} is {value}, expected 0 to 1" for key, value in shares.items() if not 0 <= value <= 1),
        *(f"{key} is {value}, expected 0 to less than 1" for key, value in parts.items() if not 0 <= value < 1),
        *(f"{key} is {value}, expected 0 or more" for key, value in sizes.items() if not 0 <= value < math.inf),
        *(f"{key} is {value}, expected more than 0" for key, value in above.items() if not 0 < value < math.inf),
    ]
