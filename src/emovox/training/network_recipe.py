"""Recipes of networks: encoder, head, inputs, and training."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Literal

import msgspec

from emovox.augment.config import Augment, table_problems
from emovox.models.encoders import EncoderConfig
from emovox.models.head import HeadConfig
from emovox.models.pruning import Criterion, prunable, pruned_config
from emovox.schema.errors import RecipeError
from emovox.training.plan import Plan, Stopping, plan_problems
from emovox.training.quantise_plan import Quantise, quantise_problems
from emovox.training.recipe import Recipe, failed, recipe_problems
from emovox.training.run_folder import RESOLVED, no_run


class NetworkRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The recipe of a network, which learns in up to two stages.

    In the first, encoder and head learn together by `learning`, if a part of the encoder learns. In the second a new
    head learns by `head_learning` from the pooled statistics, both as they are and normalised by those of each speaker.
    So one head serves with and without a speaker's profile. Without that table the head of the first stage is kept.

    The temperature comes from held-out training speakers: by `inner_folds` without a first stage, else by
    `learning.stopping`. If no speaker is held out, it is 1.

    Attributes:
        encoder: its name and sizes.
        start: the encoder.safetensors of a pretraining, or its run folder; the encoder of each fold starts from these
            weights. "": random weights.
        head: its sizes and dropout.
        members: number of heads that learn from different draws and are averaged into one.
        teacher: a larger network that is trained first, on the same clips; the encoder learns from its outputs too.
        copies: corpus → number of changed copies of its tiles.
        augment: how copies are changed, once, before training; rounds of copies take several tables in turn.
        whole: whether the encoder also learns from whole training clips, beside their tiles.
        learning: the first stage.
        prune: removes channels of the encoder after the first stage, and trains it further; None: all channels stay.
        head_learning: the second stage.
        inner_folds: number of splits of the training speakers for the temperature, at least 2.
        quantise: quantisation-aware training of a copy of the network. `emovox compress quantize RUN --train` then
            writes INT8 files. The training changes neither the network nor its figures.
        adaptation: whether the parameters that adapt the network to a voice are learnt too. They change neither the
            network nor its figures.
        speech: whether the output that tells speech from other sounds is learnt too, from the noises in $EMOVOX_NOISE.
            It changes neither the network nor its figures.
    """

    kind: Literal["network"] = "network"
    encoder: EncoderConfig
    start: str = ""
    head: HeadConfig = HeadConfig()
    members: int = 1
    teacher: Teacher | None = None
    copies: dict[str, int] = {}  # noqa: RUF012  # msgspec copies it for every recipe
    augment: Augment | tuple[Augment, ...] = Augment()
    whole: bool = True
    learning: Plan = Plan()
    prune: Pruning | None = None
    head_learning: Plan | None = None
    inner_folds: int = 3
    quantise: Quantise | None = None
    adaptation: bool = False
    speech: bool = False

    @property
    def learns_adaptation(self) -> bool:
        """Whether the training also learns how the model adapts to a voice."""
        return self.adaptation

    @property
    def learns_speech(self) -> bool:
        """Whether the training also learns to tell speech from other sounds."""
        return self.speech

    def sha256(self) -> str:
        """Return the hash of the recipe without `adaptation` and `speech`: a finished training can learn them."""
        return Recipe.sha256(msgspec.structs.replace(self, adaptation=False, speech=False))

    @property
    def final_encoder(self) -> EncoderConfig:
        """Return the sizes of the encoder after the last stage."""
        if self.prune is None:
            return self.encoder
        return pruned_config(self.encoder, keep=self.prune.keep, multiple=self.prune.multiple)

    @property
    def plans(self) -> dict[str, Plan]:
        """Return the plans of the stages, by key."""
        second = {} if self.head_learning is None else {"head_learning": self.head_learning}
        return {"learning": self.learning, **second}


def recipe_of_run(folder: Path, *, need: str) -> NetworkRecipe:
    """Return the recipe of a run of a network.

    Args:
        folder: the run folder.
        need: what is to be done to its layers, for the message.

    Raises:
        RecipeError: the folder holds no run, or one of another kind.
    """
    try:
        data = (folder / RESOLVED).read_bytes()
        kind = json.loads(data)["kind"]
        if kind == "network":
            return msgspec.json.decode(data, type=NetworkRecipe)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise no_run(folder, error) from error
    raise RecipeError(f"{folder}: the run is of kind '{kind}', which has no layers to {need}, expected kind 'network'")


class Pruning(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table [prune]: which channels of the encoder stay, and how it learns without the others.

    The further training takes all keys of `learning`, the teacher's share included, except the two below.

    Attributes:
        keep: share of the channels of each layer that stay, in (0, 1]; 1 only trains further.
        criterion: importance of a channel: "l2" is the sum of the squares of its weights, "l1" that of their absolute
            values, both averaged over the layers that lose the channel together; "random" draws channels.
        multiple: numbers of channels are rounded down to a multiple of it, at least 1.
        steps: of the further training, at least 1.
        learning_rate: of the further training, > 0.
    """

    keep: float
    criterion: Criterion = "l2"
    multiple: int = 16
    steps: int = 1000
    learning_rate: float = 1e-3


def pruning_plan(pruning: Pruning, learning: Plan) -> Plan:
    """Return the plan of the further training: that of the first stage with other steps and learning rate."""
    optimiser = msgspec.structs.replace(
        learning.optimiser, steps=pruning.steps, learning_rate=pruning.learning_rate, passes=0.0
    )
    return msgspec.structs.replace(learning, optimiser=optimiser)


class Teacher(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The teacher of a distillation: a network that is trained first, on the training clips of the student.

    With `run` the networks of a finished run teach instead, each in the fold that it was trained for.
    The target of a clip is (1 - `share`) · label + `share` · scores of the teacher at `temperature`.

    Attributes:
        recipe: of the teacher; data and labels are those of the student, unless `run` is given.
        share: in [0, 1].
        temperature: divides the teacher's logits, > 0.
        run: run folder with the same folds as the student's; "": the teacher is trained by `recipe`.
        unlabelled: folders of recordings without labels, whose targets are the teacher's scores alone.

    Reference:
        Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.
    """

    recipe: NetworkRecipe
    share: float = 0.5
    temperature: float = 1.0
    run: str = ""
    unlabelled: tuple[str, ...] = ()


def network_problems(recipe: NetworkRecipe) -> list[str]:
    """Return a message for each value out of range in the tables of networks."""
    stopping = recipe.head_learning.stopping if recipe.head_learning is not None else Stopping()
    return [
        *failed(
            {
                f"members is {recipe.members}, expected at least 1": recipe.members >= 1,
                f"members is {recipe.members} without head_learning, expected 1: only its heads are joined": (
                    recipe.members == 1 or recipe.head_learning is not None
                ),
                f"inner_folds is {recipe.inner_folds}, expected at least 2": recipe.inner_folds >= 2,
                "adaptation is true without head_learning, expected false: only its heads take another mean": (
                    not recipe.adaptation or recipe.head_learning is not None
                ),
                "learning.loss.hint is set without a teacher, expected 0": (
                    recipe.learning.loss.hint == 0 or recipe.teacher is not None
                ),
                "head_learning.loss.hint is set, expected 0: a teacher teaches the encoder": (
                    recipe.head_learning is None or recipe.head_learning.loss.hint == 0
                ),
                f"head_learning.stopping is {stopping}, expected none: heads learn to the last step": stopping
                == Stopping(),
            }
        ),
        *([] if recipe.prune is None else _pruning_problems(recipe.prune, recipe.encoder)),
        *learning_problems(recipe.head, recipe.copies, recipe.augment, recipe.plans),
        *([] if recipe.quantise is None else (f"quantise.{one}" for one in quantise_problems(recipe.quantise))),
        *([] if recipe.teacher is None else _teacher_problems(recipe.teacher)),
        *_unlabelled_problems(recipe),
    ]


def _pruning_problems(pruning: Pruning, encoder: EncoderConfig) -> list[str]:
    return failed(
        {
            f"prune.keep is {pruning.keep}, expected more than 0 and at most 1": 0 < pruning.keep <= 1,
            f"prune.multiple is {pruning.multiple}, expected at least 1": pruning.multiple >= 1,
            f"prune.steps is {pruning.steps}, expected at least 1": pruning.steps >= 1,
            f"prune.learning_rate is {pruning.learning_rate}, expected more than 0": (
                0 < pruning.learning_rate < math.inf
            ),
            f"prune is set, but the encoder '{encoder.__struct_config__.tag}' has no layers to prune, expected "
            "mobile or hybrid; leave [prune] out": prunable(encoder),
        }
    )


def _teacher_problems(teacher: Teacher) -> list[str]:
    share, temperature = teacher.share, teacher.temperature
    checks = {
        f"teacher.share is {share}, expected 0 to 1": 0 <= share <= 1,
        f"teacher.temperature is {temperature}, expected more than 0": 0 < temperature < math.inf,
        "teacher.recipe has a teacher, expected none": teacher.recipe.teacher is None,
        "teacher.recipe has the table prune, expected none": teacher.recipe.prune is None or bool(teacher.run),
    }
    if teacher.run:
        return failed(checks)
    problems = [*recipe_problems(teacher.recipe), *network_problems(teacher.recipe)]
    return [*failed(checks), *(f"teacher.recipe.{problem}" for problem in problems)]


def _unlabelled_problems(recipe: NetworkRecipe) -> list[str]:
    teacher = recipe.teacher
    if teacher is None or not teacher.unlabelled:
        return []
    return failed(
        {
            "teacher.unlabelled is set with an adversary, expected one of them: origins of these clips are unknown": (
                not any(plan.adversary.on for plan in recipe.plans.values())
            ),
        }
    )


def learning_problems(
    head: HeadConfig, copies: dict[str, int], augment: Augment | tuple[Augment, ...], plans: dict[str, Plan]
) -> list[str]:
    """Return a message for each value out of range in the tables of all networks."""
    return [
        *failed(
            {
                f"copies is {copies}, expected numbers from 0": all(n >= 0 for n in copies.values()),
                f"head.hidden is {head.hidden}, expected at least 1": head.hidden >= 1,
                f"head.dropout_in is {head.dropout_in}, expected 0 to less than 1": 0 <= head.dropout_in < 1,
                f"head.dropout is {head.dropout}, expected 0 to less than 1": 0 <= head.dropout < 1,
            }
        ),
        *table_problems(augment),
        *(f"{name}.{problem}" for name, plan in plans.items() for problem in plan_problems(plan)),
    ]
