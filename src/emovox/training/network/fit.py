"""Fit a network on training clips: the encoder if it learns, the head on both views, the temperature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from emovox.corpora.hold_out import hold_out
from emovox.models.encoders import build_encoder
from emovox.models.head import Head
from emovox.models.network import Encoder, Network
from emovox.models.svm import Matrix
from emovox.training.held_out import HeldOut, held_out_temperature, held_out_uar, inner_splits
from emovox.training.network.batch import ArrayExamples
from emovox.training.network.draw import derived_seed
from emovox.training.network.examples import RowExamples
from emovox.training.network.inputs import Inputs
from emovox.training.network.log import Report
from emovox.training.network.loop import Learnt, Validate, learn
from emovox.training.network.plan import Plan
from emovox.training.network.recipe import NetworkRecipe
from emovox.training.network.statistics import Statistics, Values, measure, pooled
from emovox.training.task import Indices, Task
from emovox.training.views import NARROW, TILE, WHOLE

INITIAL, ENCODER, HEAD, INNER = 0, 1, 2, 3
"""Purposes of the random numbers of a fit."""


Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A network that has learnt, its temperature, and its UAR in percent on held-out training speakers (NaN: none)."""

    network: Network
    temperature: float
    held_out_uar: float


class Pooled(Encoder):
    """Stands for an encoder whose statistics are there already: [b, 1, p] → [b, p]."""

    def inputs(self, samples: Tensor) -> Tensor:
        """Refuse: there is no waveform."""
        raise NotImplementedError

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Take the one frame."""
        return inputs[:, 0]


class HeadAlone(Network):
    """A head that learns from statistics that are standardised already: inputs [b, 1, p]."""

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute the logits."""
        logits: Tensor = self.head.from_standard(self.encoder.pool(inputs, mask))
        return logits


class Fit:
    """One fit, in a folder that keeps its checkpoints.

    Args:
        task: the clips.
        inputs: rows of all their views.
        train: numbers of the training clips; no other clip is looked at.
        recipe: what to do.
        folder: for checkpoints and logs, one folder a stage.
        report: shows the progress of the loop.
    """

    def __init__(
        self,
        task: Task,
        inputs: Inputs,
        train: Indices,
        recipe: NetworkRecipe,
        folder: Path,
        report: Report | None = None,
    ) -> None:
        self.task, self.inputs, self.recipe, self.folder, self.report = task, inputs, recipe, folder, report
        self.train = train
        self.key = f"{recipe.sha256()} {derived_seed(0, *train.tolist())}"

    def run(self) -> Fitted:
        """Do it."""
        encoder = self._seeded(lambda: build_encoder(self.recipe.encoder), INITIAL)
        head = self._seeded(lambda: self._new_head(encoder), INITIAL)
        network = Network(encoder, head)
        fitted, held = self._hold_out(encoder)
        if encoder.learns:
            self._learn_all(network, fitted, held)
        if self.recipe.head_learning is None:
            return Fitted(network, *self._calibrated(network, held))
        return self._learn_head(encoder, self.recipe.head_learning, fitted, held)

    def rows(self, clips: Indices) -> Indices:
        """Return the rows that clips are learnt from: tiles, copies, and the whole where the recipe says so."""
        others = [name for name in np.unique(self.inputs.view) if name not in (TILE, WHOLE, NARROW)]
        return self.inputs.select(clips, [TILE, *([WHOLE] if self.recipe.whole else []), *others])

    def _hold_out(self, encoder: Encoder) -> tuple[Indices, Indices]:
        """Split off speakers on whom an encoder that learns is stopped and calibrated."""
        stopping = self.recipe.learning.stopping
        if not encoder.learns or not stopping.share:
            return self.train, self.train[:0]
        speakers: dict[str, set[str | None]] = {corpus: set() for corpus in self.task.corpora}
        for clip in self.train:
            speakers[self.task.clips[clip].corpus].add(self.task.clips[clip].speaker)
        rich = [clip for clip in self.train if len(speakers[self.task.clips[clip].corpus]) >= stopping.least]
        _, held = hold_out(self.task.clips, rich, share=stopping.share, seed=self.recipe.seed)
        return np.setdiff1d(self.train, held), np.array(held, np.int64)

    def _learn_all(self, network: Network, fitted: Indices, held: Indices) -> None:
        validate = self._validation(held) if len(held) else None
        examples = RowExamples.of(self.task, self.inputs, self.rows(fitted))
        self._learn(network, examples, self.recipe.learning, ENCODER, "encoder", validate)

    def _learn_head(self, encoder: Encoder, plan: Plan, fitted: Indices, held: Indices) -> Fitted:
        """Learn a head on held-in clips for the temperature, then one on all training clips."""
        rows = np.concatenate([self.rows(self.train), self.inputs.select(self.train, [NARROW])])
        statistics = Statistics(self.task, self.inputs, encoder, np.unique(rows))
        splits = [(fitted, held)]
        if not len(held):
            by_clip = self.recipe.data.protocol == "sd"
            count = self.recipe.inner_folds
            splits = list(inner_splits(self.task, self.train, n_splits=count, by_clip=by_clip, seed=self.recipe.seed))
        found, owners, seconds = [], [], []
        for number, (own, other) in enumerate(splits):
            head = self._fit_head(encoder, statistics, plan, own, number + 1)
            tiles = self.inputs.select(other)
            found.append(logits(head, statistics.values(tiles)))
            owners.append(self.inputs.owner[tiles])
            seconds.append(self.inputs.seconds[tiles])
        rest = HeldOut(np.concatenate([other for _, other in splits]), np.concatenate(owners), np.concatenate(seconds))
        values = np.concatenate(found)
        head = self._fit_head(encoder, statistics, plan, self.train, 0)
        temperature, uar = held_out_temperature(self.task, rest, values), held_out_uar(self.task, rest, values)
        return Fitted(Network(encoder, head).eval(), temperature, uar)

    def _fit_head(self, encoder: Encoder, statistics: Statistics, plan: Plan, clips: Indices, number: int) -> Head:
        rows = self.rows(clips)
        scale = measure(statistics.values(rows))
        examples = statistics.examples(rows, scale)
        head = self._seeded(lambda: self._new_head(encoder), HEAD)
        head.set_statistics(torch.from_numpy(scale.mean), torch.from_numpy(scale.deviation))
        name = "head" if number == 0 else f"inner-{number}"
        self._learn(HeadAlone(Pooled(), head), examples, plan, HEAD if number == 0 else INNER + number, name, None)
        return head

    def _calibrated(self, network: Network, held: Indices) -> tuple[float, float]:
        if not len(held):
            return 1.0, float("nan")
        rest, values = self._held_logits(network, held)
        return held_out_temperature(self.task, rest, values), held_out_uar(self.task, rest, values)

    def _validation(self, held: Indices) -> Validate:
        def validate(network: Network) -> float:
            rest, values = self._held_logits(network, held)
            return held_out_uar(self.task, rest, values) / 100

        return validate

    def _held_logits(self, network: Network, held: Indices) -> tuple[HeldOut, Matrix]:
        tiles = self.inputs.select(held)
        values = logits(network.head, pooled(network.encoder, self.inputs, tiles))
        return HeldOut(held, self.inputs.owner[tiles], self.inputs.seconds[tiles]), values

    def _learn(
        self,
        network: Network,
        examples: RowExamples | ArrayExamples,
        plan: Plan,
        purpose: int,
        name: str,
        validate: Validate | None,
    ) -> Learnt:
        return learn(
            network,
            examples,
            plan,
            seed=derived_seed(self.recipe.seed, purpose),
            folder=self.folder / name,
            key=f"{self.key} {name}",
            validate=validate,
            report=self.report,
        )

    def _new_head(self, encoder: Encoder) -> Head:
        return Head(encoder.n_statistics, len(self.task.classes), self.recipe.head)

    def _seeded(self, build: Callable[[], Module], purpose: int) -> Module:
        with torch.random.fork_rng():
            torch.manual_seed(derived_seed(self.recipe.seed, purpose))
            return build()


def logits(head: Head, statistics: Values, mean: Values | None = None, deviation: Values | None = None) -> Matrix:
    """Compute the logits [n, classes] of statistics [n, p], standardised by the training set or as is given."""
    head.eval()
    device = head.mean.device
    speaker = (None if value is None else torch.from_numpy(value).to(device) for value in (mean, deviation))
    with torch.inference_mode():
        found = head.classify(head.embed(torch.from_numpy(statistics).to(device), *speaker))
    values: Matrix = found.cpu().numpy().astype(np.float64)
    return values
