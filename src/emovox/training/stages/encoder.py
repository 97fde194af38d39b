"""Stage: encoder and head learn together, from labels and optionally from a teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emovox.corpora.hold_out import hold_out
from emovox.models.network import BaseNetwork, Network
from emovox.models.trained import TrainedModel
from emovox.schema.errors import RecipeError
from emovox.training.data.examples import DistillationTargets, Examples
from emovox.training.data.inputs import Inputs
from emovox.training.data.sampler import derived_seed
from emovox.training.data.statistics import pooled
from emovox.training.data.task import Indices, Task
from emovox.training.held_out import held_out_uar
from emovox.training.loop import Validate
from emovox.training.network_recipe import NetworkRecipe, Teacher
from emovox.training.plan import Plan
from emovox.training.run_folder import model_folder
from emovox.training.stages.distillation import (
    TARGETS,
    Student,
    distillation_targets,
    read_targets,
    write_targets,
)
from emovox.training.stages.head import LearnHead, logits
from emovox.training.stages.stage import ENCODER, INITIAL, Context, Fitted, HeldOutLogits, named, run_stages
from emovox.training.stages.unlabelled import files_key, voiced, with_pseudo_labels, with_unlabelled

ENCODER_FOLDER, TEACHER_FOLDER = "encoder", "teacher"
"""Folders of the stage and of the recipe's teacher, in that of the fold."""


@dataclass(frozen=True)
class LearnEncoder:
    """Trains by `learning`, with early stopping on held-out speakers; skipped if no part of the encoder learns."""

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Train encoder and head; see `Stage`."""
        recipe, network = context.recipe, fitted.network
        if not (network.encoder.learns or recipe.head_learning is None):
            return fitted
        learnt, held = held_out(context.task, context.train, recipe)
        fit_encoder(context, network, recipe.learning, learnt, held, ENCODER, ENCODER_FOLDER)
        return replace(fitted, held=held)


def fit_encoder(
    context: Context, network: Network, plan: Plan, learnt: Indices, held: Indices, purpose: int, name: str
) -> None:
    """Train encoder and head in place, from the labels of the clips `learnt` and the recipe's teacher.

    Args:
        context: data and recipe.
        network: ends with the best weights on `held`.
        plan: of the loop.
        learnt: numbers of clips.
        held: clips of held-out speakers, for early stopping; perhaps none.
        purpose: sets the random numbers.
        name: folder of the loop.
    """
    examples, student = training_examples(context, learnt), network
    if examples.distillation is not None and plan.loss.hint:
        n_hints = examples.distillation.hints.shape[1]
        student = context.seeded(lambda: Student(network.encoder, network.head, n_hints), INITIAL, purpose)
    validate = _validate(context, held) if len(held) else None
    context.learn(student, examples, plan, (purpose,), name, validate)


def training_examples(context: Context, learnt: Indices) -> Examples:
    """Return the rows of the clips `learnt` with the targets of the teacher, and those of recordings without labels."""
    task, clips, first = context.task, learnt, len(context.task.clips)
    targets = teacher_targets(context, learnt)
    if targets is not None and context.unlabelled:
        task = with_pseudo_labels(with_unlabelled(task, context.unlabelled), first, targets)
        assert context.teacher_inputs is not None
        clips = np.concatenate([learnt, voiced(context.teacher_inputs, np.arange(first, len(task.clips)))])
    rows = context.rows(clips)
    return Examples(task, context.inputs.owner[rows], context.inputs.loader(rows), targets)


def teacher_targets(context: Context, clips: Indices) -> DistillationTargets | None:
    """Return the targets of the recipe's teacher for training clips of the student, and for recordings without labels.

    They are kept in the folder of the teacher, so that further stages and a resumed run need no teacher.
    """
    teacher, inputs = context.recipe.teacher, context.teacher_inputs
    if teacher is None:
        return None
    if inputs is None:
        raise ValueError(f"{context.recipe.name}: got no inputs of the teacher, expected them as `teacher_inputs`")
    network, key = teacher_network(context, teacher, inputs, clips)
    share, temperature, first = teacher.share, teacher.temperature, len(context.task.clips)
    path = context.folder / TEACHER_FOLDER / TARGETS
    key = f"{key} {share} {temperature}{files_key(context.unlabelled)}"
    known = read_targets(path, key=key)
    if known is not None:
        return known
    unlabelled = np.arange(first, first + len(context.unlabelled))
    task, taught = with_unlabelled(context.task, context.unlabelled), np.concatenate([clips, unlabelled])
    targets = distillation_targets(
        task, inputs, taught, network(), share=share, temperature=temperature, unlabelled=unlabelled
    )
    write_targets(path, targets, key=key)
    return targets


def teacher_network(
    context: Context, teacher: Teacher, inputs: Inputs, clips: Indices
) -> tuple[Callable[[], BaseNetwork], str]:
    """Return what trains the teacher on these clips, or reads that of its run for the fold, and a key of it."""
    if teacher.run:
        model = TrainedModel.load(model_folder(Path(teacher.run).expanduser(), context.fold))
        return lambda: model.network, f"{model.card.weights_sha256} {derived_seed(0, *clips.tolist())}"
    folder, report = context.folder / TEACHER_FOLDER, named(context.report, "teacher")
    teacher_context = Context(context.task, inputs, teacher.recipe, clips, folder, report)
    return lambda: run_stages((LearnEncoder(), LearnHead()), teacher_context).network, teacher_context.key


def held_out_logits(context: Context, network: Network, held: Indices) -> HeldOutLogits:
    """Return held-out clips with the logits of their tiles."""
    return held, logits(network.head, pooled(network.encoder, context.inputs, context.inputs.select(held)))


def _validate(context: Context, held: Indices) -> Validate:
    return lambda network: held_out_uar(context.task, *context.tiles([held_out_logits(context, network, held)])) / 100


def held_out(task: Task, train: Indices, recipe: NetworkRecipe) -> tuple[Indices, Indices]:
    """Split training clips into clips of the first stage, and clips of held-out speakers for stopping and calibration.

    Raises:
        RecipeError: the recipe holds out speakers, and no corpus has enough of them.
    """
    stopping = recipe.learning.stopping
    if not stopping.share:
        return train, train[:0]
    clips = with_speakers(task, train, stopping.least)
    _, held = hold_out(task.clips, clips, share=stopping.share, seed=recipe.seed)
    return np.setdiff1d(train, held), np.array(held, np.int64)


def with_speakers(task: Task, train: Indices, least: int) -> list[int]:
    """Return the training clips of corpora with at least `least` training speakers.

    Raises:
        RecipeError: no corpus has enough of them.
    """
    clips = task.clips
    speakers = {corpus: {clips[i].speaker for i in train if clips[i].corpus == corpus} for corpus in task.corpora}
    kept = [int(i) for i in train if len(speakers[clips[i].corpus]) >= least]
    if not kept:
        counts = ", ".join(f"{corpus} {len(found)}" for corpus, found in speakers.items())
        raise RecipeError(
            f"learning.stopping.least is {least}, expected at most the training speakers of some corpus "
            f"({counts}); or set learning.stopping.share to 0 to hold out no speaker"
        )
    return kept
