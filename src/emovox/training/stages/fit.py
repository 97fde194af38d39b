"""Fit a network on training clips: the encoder if it learns, the head on both views, the temperature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from emovox.corpora.hold_out import hold_out
from emovox.models.head import Head
from emovox.models.network import Encoder, Network
from emovox.models.scores import Matrix
from emovox.schema.errors import RecipeError
from emovox.training.data.batch import Examples, Lesson
from emovox.training.data.examples import RowExamples
from emovox.training.data.inputs import Inputs
from emovox.training.data.sampler import derived_seed
from emovox.training.data.statistics import Statistics, measure, pooled
from emovox.training.data.task import Indices, Task
from emovox.training.data.views import NARROW, TILE, WHOLE
from emovox.training.held_out import HeldOut, held_out_temperature, held_out_uar, inner_splits
from emovox.training.log import Report
from emovox.training.loop import Validate, learn
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.plan import Plan
from emovox.training.stages.distillation import Student, make_lesson
from emovox.training.stages.head import HeadAlone, logits, merged
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
    """A network that has learnt, its temperature, and its UAR in percent on held-out training speakers (NaN: none)."""

    network: Network
    temperature: float
    held_out_uar: float


def with_speakers(task: Task, train: Indices, least: int) -> list[int]:
    """Return the training clips of corpora with at least so many training speakers.

    Raises:
        RecipeError: no corpus has as many.
    """
    clips = task.clips
    speakers = {corpus: {clips[i].speaker for i in train if clips[i].corpus == corpus} for corpus in task.corpora}
    rich = [int(i) for i in train if len(speakers[clips[i].corpus]) >= least]
    if not rich:
        counts = ", ".join(f"{corpus} {len(found)}" for corpus, found in speakers.items())
        raise RecipeError(
            f"learning.stopping.least is {least}, expected at most the training speakers of some corpus "
            f"({counts}); or set learning.stopping.share to 0, and nobody is held out"
        )
    return rich


def held_out(task: Task, train: Indices, recipe: NetworkRecipe) -> tuple[Indices, Indices]:
    """Split training clips into those that are learnt from first, and speakers on whom it is stopped and calibrated.

    Raises:
        RecipeError: speakers are to be held out, and no corpus has enough of them.
    """
    stopping = recipe.learning.stopping
    if not stopping.share:
        return train, train[:0]
    rich = with_speakers(task, train, stopping.least)
    _, held = hold_out(task.clips, rich, share=stopping.share, seed=recipe.seed)
    return np.setdiff1d(train, held), np.array(held, np.int64)


class Fit:
    """One fit, in a folder that keeps its checkpoints.

    Args:
        task: the clips.
        inputs: rows of all their views.
        train: numbers of the training clips, ascending; no other clip is looked at.
        recipe: what to do.
        folder: for checkpoints and logs, one folder a stage.
        report: shows the progress of the loop.
        heard: the teacher's inputs, where the recipe has one.
    """

    def __init__(
        self,
        task: Task,
        inputs: Inputs,
        train: Indices,
        recipe: NetworkRecipe,
        folder: Path,
        report: Report | None = None,
        *,
        heard: Inputs | None = None,
    ) -> None:
        self.task, self.inputs, self.recipe, self.folder, self.report = task, inputs, recipe, folder, report
        if recipe.teacher is not None and heard is None:
            raise ValueError(f"{recipe.name}: got no inputs of the teacher, expected them as `heard`")
        self.train, self.heard = train, heard
        self.key = f"{recipe.sha256()} {derived_seed(0, *train.tolist())}"
        if recipe.start:
            self.key += f" {read_start(recipe.start).weights_sha256}"

    def run(self, *, calibrate: bool = True) -> Fitted:
        """Do it.

        Args:
            calibrate: let inner heads learn for the temperature; else it is 1.

        Raises:
            RecipeError: speakers are to be held out, and no corpus has enough of them.
            TrainingError: the loss is no longer a number.
            CheckpointError: the folder holds checkpoints of other work.
            WeightsError: the recipe starts from weights that do not fit.
        """
        encoder = self._seeded(lambda: starting_encoder(self.recipe.encoder, self.recipe.start), INITIAL)
        network = Network(encoder, self._new_head(encoder, INITIAL)).eval()
        first, second = encoder.learns or self.recipe.head_learning is None, self.recipe.head_learning
        learnt, held = held_out(self.task, self.train, self.recipe) if first else (self.train, self.train[:0])
        if first:
            validate = self._validate(held) if len(held) else None
            lesson = self._lesson(learnt)
            student = network if lesson is None else self._student(network, lesson)
            examples = RowExamples.of(self.task, self.inputs, self.rows(learnt), lesson)
            self._learn(student, examples, self.recipe.learning, (ENCODER,), "encoder", validate)
        if second is None:
            return self._calibrated(network, [self._judge(network, held)] if len(held) else [])
        # without held-out speakers, an encoder that has learnt knows all of them
        splits = [(learnt, held)] if len(held) else [] if first else self._inner_splits()
        return self._with_new_head(encoder, second, splits if calibrate else [])

    def rows(self, clips: Indices) -> Indices:
        """Return the rows that clips are learnt from: tiles, copies, and the whole where the recipe says so."""
        others = [name for name in np.unique(self.inputs.view) if name not in (TILE, WHOLE, NARROW)]
        return self.inputs.select(clips, [TILE, *([WHOLE] if self.recipe.whole else []), *others])

    def _inner_splits(self) -> Iterable[tuple[Indices, Indices]]:
        by_clip = self.recipe.data.protocol == "sd"
        n_splits, seed = self.recipe.inner_folds, self.recipe.seed
        return inner_splits(self.task, self.train, n_splits=n_splits, by_clip=by_clip, seed=seed)

    def _lesson(self, clips: Indices) -> Lesson | None:
        """Let the teacher learn from the clips that the student will learn from, and ask it about them."""
        teacher = self.recipe.teacher
        if teacher is None:
            return None
        assert self.heard is not None
        folder, report = self.folder / "teacher", self._named("teacher")
        fit = Fit(self.task, self.heard, clips, teacher.recipe, folder, report)
        network = fit.run(calibrate=False).network
        return make_lesson(self.task, self.heard, clips, network, share=teacher.share, temperature=teacher.temperature)

    def _student(self, network: Network, lesson: Lesson) -> Network:
        if not self.recipe.learning.loss.hint:
            return network
        n_hints = lesson.hints.shape[1]
        return self._seeded(lambda: Student(network.encoder, network.head, n_hints), INITIAL, ENCODER)

    def _with_new_head(self, encoder: Encoder, plan: Plan, splits: Iterable[tuple[Indices, Indices]]) -> Fitted:
        """Learn a head on one side of each split to judge the other side, then one on all training clips."""
        statistics = Statistics(self.task, self.inputs, encoder, self.rows(self.train))
        judged = []
        for number, (own, other) in enumerate(splits, start=1):
            head = self._fit_head(encoder, statistics, plan, own, INNER + number, f"inner-{number}")
            judged.append((other, logits(head, statistics.values(self.inputs.select(other)))))
        head = self._fit_head(encoder, statistics, plan, self.train, HEAD, "head")
        return self._calibrated(Network(encoder, head).eval(), judged)

    def _fit_head(
        self, encoder: Encoder, statistics: Statistics, plan: Plan, clips: Indices, purpose: int, name: str
    ) -> Head:
        rows = self.rows(clips)
        scale = measure(statistics.values(rows))
        examples, heads = statistics.examples(rows, scale), []
        for member in range(self.recipe.members):
            head = self._new_head(encoder, HEAD, member)
            head.set_statistics(torch.from_numpy(scale.mean), torch.from_numpy(scale.deviation))
            seed, place = (purpose, member) if member else (purpose,), f"{name}-{member}" if member else name
            self._learn(HeadAlone(head), examples, plan, seed, place)
            heads.append(head)
        return merged(heads)

    def _calibrated(self, network: Network, judged: Sequence[Judged]) -> Fitted:
        if not judged:
            return Fitted(network, UNCALIBRATED, float("nan"))
        held, values = self._tiles(judged)
        temperature = held_out_temperature(self.task, held, values) if len(values) else UNCALIBRATED
        return Fitted(network, temperature, held_out_uar(self.task, held, values))

    def _validate(self, held: Indices) -> Validate:
        return lambda network: held_out_uar(self.task, *self._tiles([self._judge(network, held)])) / 100

    def _judge(self, network: Network, held: Indices) -> Judged:
        return held, logits(network.head, pooled(network.encoder, self.inputs, self.inputs.select(held)))

    def _tiles(self, judged: Sequence[Judged]) -> tuple[HeldOut, Matrix]:
        clips, values = (np.concatenate(column) for column in zip(*judged, strict=True))
        tiles = np.concatenate([self.inputs.select(held) for held, _ in judged])
        return HeldOut(clips, self.inputs.owner[tiles], self.inputs.seconds[tiles]), values

    def _learn(
        self,
        network: Network,
        examples: Examples,
        plan: Plan,
        purpose: tuple[int, ...],
        name: str,
        validate: Validate | None = None,
    ) -> None:
        learn(
            network,
            examples,
            plan,
            seed=derived_seed(self.recipe.seed, *purpose),
            folder=self.folder / name,
            key=f"{self.key} {name}",
            validate=validate,
            report=self._named(name),
        )

    def _named(self, stage: str) -> Report | None:
        report = self.report
        return None if report is None else lambda done, total, said: report(done, total, f"{stage}: {said}")

    def _new_head(self, encoder: Encoder, *purpose: int) -> Head:
        n_classes, config = len(self.task.classes), self.recipe.head
        return self._seeded(lambda: Head(encoder.n_statistics, n_classes, config), *purpose)

    def _seeded(self, build: Callable[[], Module], *purpose: int) -> Module:
        with torch.random.fork_rng():
            torch.manual_seed(derived_seed(self.recipe.seed, *purpose))
            return build()
