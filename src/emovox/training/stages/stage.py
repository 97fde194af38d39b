"""What every stage of a training shares: what it works on, and what it hands to the next.

The fold runner puts stages one after another inside each fold. A new one (pruning, quantisation) is a class with
`run`, named in the list of a method; the runner stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import nn

from emovox.models.head import Head
from emovox.models.network import Encoder, Network
from emovox.models.scores import Matrix
from emovox.training.data.examples import Examples
from emovox.training.data.inputs import Inputs
from emovox.training.data.sampler import derived_seed
from emovox.training.data.statistics import Statistics
from emovox.training.data.task import Indices, Task
from emovox.training.held_out import HeldOut
from emovox.training.log import Report
from emovox.training.loop import Validate, learn
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.plan import Plan
from emovox.training.stages.start import read_start, starting_encoder

INITIAL, ENCODER, HEAD, INNER = 0, 1, 2, 3
"""Purposes of the random numbers of a fit; inner heads count on from the last."""

UNCALIBRATED = 1.0
"""The temperature where nobody was held out: one fitted on clips that were learnt from would be too low."""

Module = TypeVar("Module", bound=nn.Module)

Judged = tuple[Indices, Matrix]
"""Held-out clips, and the logits [m, classes] of their tiles by a network that did not learn from them."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A network between two stages, or after the last.

    Attributes:
        network: encoder and head.
        held: numbers of the training clips that the encoder did not learn from, perhaps none; None: it learnt from no
            clip at all.
        temperature: divides the logits.
        held_out_uar: UAR in percent on held-out training speakers; NaN: nobody was held out.
    """

    network: Network
    held: Indices | None = None
    temperature: float = UNCALIBRATED
    held_out_uar: float = float("nan")


class Stage(Protocol):
    """One step of a fit."""

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Change the network, or what is known of it; no clip but `context.train` may be looked at."""


@dataclass(frozen=True, eq=False)
class Context:
    """What the stages of one fit work on.

    Attributes:
        task: the clips.
        inputs: rows of all their views.
        recipe: what to do.
        train: numbers of the training clips, ascending.
        folder: for checkpoints and logs, one folder a run of the loop.
        report: shows the progress of the loop.
        teacher_inputs: rows of the teacher's inputs, where the recipe has one.
    """

    task: Task
    inputs: Inputs
    recipe: NetworkRecipe
    train: Indices
    folder: Path
    report: Report | None = None
    teacher_inputs: Inputs | None = None

    @cached_property
    def key(self) -> str:
        """Names recipe, clips and starting weights: a checkpoint of another key is of other work."""
        key = f"{self.recipe.sha256()} {derived_seed(0, *self.train.tolist())}"
        return f"{key} {read_start(self.recipe.start).weights_sha256}" if self.recipe.start else key

    def rows(self, clips: Indices) -> Indices:
        """Return the rows that clips are learnt from: tiles, copies, and the whole where the recipe says so."""
        return self.inputs.learnt(clips, whole=clips if self.recipe.whole else clips[:0], narrow=clips[:0])

    def statistics(self, encoder: Encoder) -> Statistics:
        """Pool the training clips' rows with an encoder that no longer changes; kept for the next stage."""
        kept: list[tuple[Encoder, Statistics]] = self.__dict__.setdefault("_statistics", [])
        if not kept or kept[0][0] is not encoder:
            kept[:] = [(encoder, Statistics(self.task, self.inputs, encoder, self.rows(self.train)))]
        return kept[0][1]

    def tiles(self, judged: Sequence[Judged]) -> tuple[HeldOut, Matrix]:
        """Join the tiles of held-out clips and their logits."""
        clips, values = (np.concatenate(column) for column in zip(*judged, strict=True))
        tiles = np.concatenate([self.inputs.select(held) for held, _ in judged])
        return HeldOut(clips, self.inputs.owner[tiles], self.inputs.seconds[tiles]), values

    def learn(
        self,
        network: Network,
        examples: Examples,
        plan: Plan,
        purpose: tuple[int, ...],
        name: str,
        validate: Validate | None = None,
    ) -> None:
        """Run the loop in the folder `name`, with random numbers of its own `purpose`."""
        seed, report = derived_seed(self.recipe.seed, *purpose), named(self.report, name)
        key, folder = f"{self.key} {name}", self.folder / name
        learn(network, examples, plan, seed=seed, folder=folder, key=key, validate=validate, report=report)

    def new_head(self, encoder: Encoder, *purpose: int) -> Head:
        """Draw a head for an encoder."""
        n_classes, config = len(self.task.classes), self.recipe.head
        return self.seeded(lambda: Head(encoder.n_statistics, n_classes, config), *purpose)

    def seeded(self, build: Callable[[], Module], *purpose: int) -> Module:
        """Build a module whose first weights follow from the recipe's seed and a purpose."""
        return seeded(build, derived_seed(self.recipe.seed, *purpose))


def run_stages(stages: Sequence[Stage], context: Context) -> Fitted:
    """Run stages one after another, from a network whose weights are drawn, or start from a pretraining.

    Raises:
        WeightsError: the recipe starts from weights that do not fit.
        RecipeError: speakers are to be held out, and no corpus has enough of them.
        TrainingError: the loss is no longer a number.
        CheckpointError: the folder holds checkpoints of other work.
    """
    encoder = context.seeded(lambda: starting_encoder(context.recipe.encoder, context.recipe.start), INITIAL)
    fitted = Fitted(Network(encoder, context.new_head(encoder, INITIAL)).eval())
    for stage in stages:
        fitted = stage.run(context, fitted)
    return fitted


def named(report: Report | None, stage: str) -> Report | None:
    """Let a report say which stage it is of."""
    return None if report is None else lambda done, total, said: report(done, total, f"{stage}: {said}")


def seeded(build: Callable[[], Module], seed: int) -> Module:
    """Build a module with a seed; the caller's random numbers are not touched."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()
