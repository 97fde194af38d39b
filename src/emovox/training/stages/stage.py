"""The common parts of the stages of a training: their context, and the network that one hands to the next.

The stages run one after another in each fold. A new stage is a class with `run` that is added to `STAGES` in
`emovox.training.network`; nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import nn

from emovox.adaptation.estimator import Adaptation
from emovox.corpora.manifest import Clip
from emovox.models.head import Head
from emovox.models.head_scorer import HeadScorer
from emovox.models.network import Encoder, Network
from emovox.models.scores import Matrix
from emovox.schema.trust import CardFamiliarity
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
from emovox.training.quantisation import QuantisedNetwork
from emovox.training.speech import LearntSpeech
from emovox.training.speech_material import SpeechMaterial
from emovox.training.stages.adversary import adversary_attached, origin_classifier
from emovox.training.stages.start import read_start, starting_encoder
from emovox.training.stages.unlabelled import files_key

INITIAL, ENCODER, HEAD, INNER, PRUNE, UNHEARD, QUANTISE = 0, 1, 2, 3, 50, 100, 200
"""Purposes of the random numbers of a fit; inner heads have `INNER` + 1, + 2 …, and likewise those without a corpus."""

UNCALIBRATED = 1.0
"""The temperature if no speaker was held out: one fitted on training clips would be too low."""

Module = TypeVar("Module", bound=nn.Module)

HeldOutLogits = tuple[Indices, Matrix]
"""Held-out clips, and the logits [m, classes] of their tiles by a network that did not learn from them."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A network between two stages, or after the last.

    Attributes:
        network: encoder and head.
        held: numbers of the training clips that the encoder was not trained on, perhaps none; None: the encoder was not
            trained at all.
        temperature: divides the logits.
        held_out_uar: UAR in percent on held-out training speakers; NaN: no speaker was held out.
        adaptation: parameters that adapt the network to a voice; None: not learnt.
        unheard: corpus → scores by a head that did not learn from it; none without an adaptation.
        familiarity: how far recordings are from the voices in training; None: not measured.
        speech: the map that tells speech; None: not learnt.
        quantised: a copy of the network that learnt to compute in INT8; None: not learnt.
    """

    network: Network
    held: Indices | None = None
    temperature: float = UNCALIBRATED
    held_out_uar: float = float("nan")
    adaptation: Adaptation | None = None
    unheard: Mapping[str, HeadScorer] = field(default_factory=dict)
    familiarity: CardFamiliarity | None = None
    speech: LearntSpeech | None = None
    quantised: QuantisedNetwork | None = None


class Stage(Protocol):
    """One step of a fit."""

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Return the network, changed or measured; only the clips `context.train` may be used."""


@dataclass(frozen=True, eq=False)
class Context:
    """Data and settings of one fit, the same for all stages.

    Attributes:
        task: the clips.
        inputs: rows of all their views.
        recipe: of the network.
        train: numbers of the training clips, ascending.
        folder: for checkpoints and logs; each run of the loop has a folder in it.
        report: called with the progress of the loop.
        teacher_inputs: rows of the teacher's inputs; None without a teacher.
        sounds: pieces of speech and of other sounds; None unless the recipe has `speech`.
        fold: number of the fold; None: all clips.
        unlabelled: recordings without labels, from which the student learns what its teacher says; in `inputs` and
            `teacher_inputs` they are numbered after the clips of the task.
    """

    task: Task
    inputs: Inputs
    recipe: NetworkRecipe
    train: Indices
    folder: Path
    report: Report | None = None
    teacher_inputs: Inputs | None = None
    sounds: SpeechMaterial | None = None
    fold: int | None = None
    unlabelled: tuple[Clip, ...] = ()

    @cached_property
    def key(self) -> str:
        """Return the key of this fit (`fit_key`)."""
        return fit_key(self.recipe, self.train, self.unlabelled)

    def rows(self, clips: Indices) -> Indices:
        """Return the training rows of clips: tiles, copies, and whole clips if the recipe has `whole`."""
        return self.inputs.learnt(clips, whole=clips if self.recipe.whole else clips[:0], narrow=clips[:0])

    def statistics(self, encoder: Encoder) -> Statistics:
        """Return the statistics of the training rows by a trained encoder; they are kept for the next stage."""
        kept: list[tuple[Encoder, Statistics]] = self.__dict__.setdefault("_statistics", [])
        if not kept or kept[0][0] is not encoder:
            kept[:] = [(encoder, Statistics(self.task, self.inputs, encoder, self.rows(self.train)))]
        return kept[0][1]

    def tiles(self, parts: Sequence[HeldOutLogits]) -> tuple[HeldOut, Matrix]:
        """Return the tiles of held-out clips and their logits, concatenated."""
        clips, values = (np.concatenate(column) for column in zip(*parts, strict=True))
        tiles = np.concatenate([self.inputs.select(held) for held, _ in parts])
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
        """Run the loop in the folder `name`; `purpose` sets its random numbers."""
        seed, report = derived_seed(self.recipe.seed, *purpose), named(self.report, name)
        key, folder = loop_key(self.key, name), self.folder / name
        adversary: AbstractContextManager[None] = nullcontext()
        if plan.adversary.on:
            classifier = self.seeded(lambda: origin_classifier(network, plan.adversary, self.task), *purpose)
            adversary = adversary_attached(network, classifier)
        with adversary:
            learn(network, examples, plan, seed=seed, folder=folder, key=key, validate=validate, report=report)

    def new_head(self, encoder: Encoder, *purpose: int) -> Head:
        """Return a head for an encoder, with random weights."""
        n_classes, config = len(self.task.classes), self.recipe.head
        return self.seeded(lambda: Head(encoder.n_statistics, n_classes, config), *purpose)

    def seeded(self, build: Callable[[], Module], *purpose: int) -> Module:
        """Build a module with random weights that depend on the recipe's seed and a purpose."""
        return seeded(build, derived_seed(self.recipe.seed, *purpose))


def fit_key(recipe: NetworkRecipe, train: Indices, unlabelled: Sequence[Clip] = ()) -> str:
    """Return a key of recipe, clips and starting weights; a checkpoint with another key is refused."""
    key = f"{recipe.sha256()} {derived_seed(0, *train.tolist())}{files_key(unlabelled)}"
    return f"{key} {read_start(recipe.start).weights_sha256}" if recipe.start else key


def loop_key(key: str, name: str) -> str:
    """Return the key of one run of the loop within a fit."""
    return f"{key} {name}"


def run_stages(stages: Sequence[Stage], context: Context) -> Fitted:
    """Run stages one after another, from a network with random weights or those of a pretraining.

    Raises:
        WeightsError: the weights of the pretraining do not fit.
        RecipeError: the recipe holds out speakers, and no corpus has enough of them.
        TrainingError: the loss is no longer finite.
        CheckpointError: the folder holds checkpoints of another recipe or of other clips.
    """
    encoder = context.seeded(lambda: starting_encoder(context.recipe.encoder, context.recipe.start), INITIAL)
    fitted = Fitted(Network(encoder, context.new_head(encoder, INITIAL)).eval())
    for stage in stages:
        fitted = stage.run(context, fitted)
    return fitted


def named(report: Report | None, stage: str) -> Report | None:
    """Return a report that puts the name of a stage before each message."""
    return None if report is None else lambda done, total, message: report(done, total, f"{stage}: {message}")


def seeded(build: Callable[[], Module], seed: int) -> Module:
    """Build a module with a seed; the caller's random state is unchanged."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()
