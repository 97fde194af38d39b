"""Recipes of networks: which encoder, how its head looks, what it learns from, and how."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from emovox.augment.config import Augment, problems
from emovox.models.encoders import EncoderConfig
from emovox.models.head import HeadConfig
from emovox.training.plan import Plan, Stopping, plan_problems
from emovox.training.recipe import Recipe, failed, recipe_problems


class NetworkRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A network learns in up to two stages.

    In the first, encoder and head learn together by `learning`, unless nothing of the encoder learns. In the second a
    new head learns by `head_learning` from the pooled statistics, as they are and normalised by each speaker's own: one
    head then serves with and without a speaker's profile. Without that table the head of the first stage stays. With
    `members` above 1 so many heads learn, each from draws of its own, and are joined into one that averages them.

    `start` names the encoder.safetensors of a pretraining, or its run folder: the encoder of every fold starts from
    these weights instead of random ones.

    With a `teacher` the encoder learns from a larger network too, which learns first, from the same clips.

    `copies` says how many changed copies of its tiles a corpus has; `augment` how they are changed, once, before
    training. `whole` lets training clips in one piece be learnt from beside their tiles.

    The temperature comes from training speakers that were held out: by `inner_folds` where the first stage is left out,
    else by `learning.stopping`; if that holds nobody out, it is 1.
    """

    kind: Literal["network"] = "network"
    encoder: EncoderConfig
    start: str = ""
    head: HeadConfig = HeadConfig()
    members: int = 1
    teacher: Teacher | None = None
    copies: dict[str, int] = {}  # noqa: RUF012  # msgspec copies it for every recipe
    augment: Augment = Augment()
    whole: bool = True
    learning: Plan = Plan()
    head_learning: Plan | None = None
    inner_folds: int = 3

    @property
    def plans(self) -> dict[str, Plan]:
        """How the stages learn, by key."""
        second = {} if self.head_learning is None else {"head_learning": self.head_learning}
        return {"learning": self.learning, **second}


class Teacher(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A network that learns first, from the clips that the student will learn from, and then says what it hears.

    `recipe` is its own; data and classes are those of the student. Of a clip's target the label keeps 1 - `share`, and
    the teacher's scores at this `temperature` take the rest.

    Reference:
        Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.
    """

    recipe: NetworkRecipe
    share: float = 0.5
    temperature: float = 1.0


def network_problems(recipe: NetworkRecipe) -> list[str]:
    """Name what is out of range in the tables of networks."""
    stopping = recipe.head_learning.stopping if recipe.head_learning is not None else Stopping()
    return [
        *failed(
            {
                f"members is {recipe.members}, expected at least 1": recipe.members >= 1,
                f"members is {recipe.members} without head_learning, expected 1: only its heads are joined": (
                    recipe.members == 1 or recipe.head_learning is not None
                ),
                f"inner_folds is {recipe.inner_folds}, expected at least 2": recipe.inner_folds >= 2,
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
        *learning_problems(recipe.head, recipe.copies, recipe.augment, recipe.plans),
        *([] if recipe.teacher is None else _teacher_problems(recipe.teacher)),
    ]


def _teacher_problems(teacher: Teacher) -> list[str]:
    share, temperature = teacher.share, teacher.temperature
    own = {
        f"teacher.share is {share}, expected 0 to 1": 0 <= share <= 1,
        f"teacher.temperature is {temperature}, expected more than 0": 0 < temperature < math.inf,
        "teacher.recipe has a teacher of its own, expected none": teacher.recipe.teacher is None,
    }
    problems = [*recipe_problems(teacher.recipe), *network_problems(teacher.recipe)]
    return [*failed(own), *(f"teacher.recipe.{problem}" for problem in problems)]


def learning_problems(head: HeadConfig, copies: dict[str, int], augment: Augment, plans: dict[str, Plan]) -> list[str]:
    """Name what is out of range in the tables that every network learns by."""
    return [
        *failed(
            {
                f"copies is {copies}, expected numbers from 0": all(n >= 0 for n in copies.values()),
                f"head.hidden is {head.hidden}, expected at least 1": head.hidden >= 1,
                f"head.dropout_in is {head.dropout_in}, expected 0 to less than 1": 0 <= head.dropout_in < 1,
                f"head.dropout is {head.dropout}, expected 0 to less than 1": 0 <= head.dropout < 1,
            }
        ),
        *(f"augment.{problem}" for problem in problems(augment)),
        *(f"{name}.{problem}" for name, plan in plans.items() for problem in plan_problems(plan)),
    ]
