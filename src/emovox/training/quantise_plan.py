"""The table [quantise] of a recipe."""

from __future__ import annotations

import math

import msgspec

from emovox.training.plan import Draw, Optimiser, Plan

RATE = 16000
"""Samples of a second."""

SHORTEST, LONGEST = 0.5, 5.0
"""Seconds of a tile that a step takes, at least and at most. `predict` scores no shorter tiles; most have about 3 s."""


class Quantise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table [quantise]: quantisation-aware training after the other stages.

    Attributes:
        steps: number of steps, at least 1.
        batch: tiles of a step, at least 1.
        learning_rate: highest learning rate, > 0, in steps of the weights: 0.01 moves a weight by a hundredth of the
            distance of two levels. From 0.002 up the loss of `accurate` rose.
        clips: number of training clips that are drawn, at least 1.
        seconds: of a tile that a step hears, at most, 0.5 to 5: a piece with a random start.
        scores: weight >= 0 of the distance of the probabilities (Kullback-Leibler divergence); that of the statistics
            (mean square, in their deviations) is 1.
    """

    steps: int = 300
    batch: int = 8
    learning_rate: float = 3e-4
    clips: int = 400
    seconds: float = 2.0
    scores: float = 10.0

    @property
    def plan(self) -> Plan:
        """Return the plan of the loop."""
        optimiser = Optimiser(
            steps=self.steps, batch=self.batch, learning_rate=self.learning_rate, weight_decay=0.0, grad_clip=0.0
        )
        return Plan(optimiser=optimiser, crop=max(1, round(self.seconds * RATE)), draw=Draw(balance="corpus"))


def quantise_problems(quantise: Quantise) -> list[str]:
    """Return a message for each value out of range.

    >>> quantise_problems(Quantise(steps=0))
    ['steps is 0, expected 1 or more']
    """
    counts = {"steps": quantise.steps, "batch": quantise.batch, "clips": quantise.clips}
    rate, scores, seconds = quantise.learning_rate, quantise.scores, quantise.seconds
    return [
        *(f"{name} is {value}, expected 1 or more" for name, value in counts.items() if value < 1),
        *([] if 0 < rate < 1 else [f"learning_rate is {rate}, expected more than 0 and less than 1"]),
        *([] if SHORTEST <= seconds <= LONGEST else [f"seconds is {seconds}, expected {SHORTEST} to {LONGEST}"]),
        *([] if 0 <= scores < math.inf else [f"scores is {scores}, expected 0 or more"]),
    ]
