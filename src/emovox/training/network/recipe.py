"""Recipes of networks: which encoder, how its head looks, what it learns from, and how."""

from __future__ import annotations

from typing import Literal

from emovox.models.encoders import EncoderConfig
from emovox.models.head import HeadConfig
from emovox.training.augment.config import Augment, problems
from emovox.training.network.plan import Plan, plan_problems
from emovox.training.recipe import Recipe, failed


class NetworkRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A network learns in up to two stages.

    In the first, encoder and head learn together by `learning`, unless nothing of the encoder learns. In the second a
    new head learns by `head_learning` from the pooled statistics, as they are and normalised by each speaker's own: one
    head then serves with and without a speaker's profile. Without that table the head of the first stage stays.

    `copies` says how many changed copies of its tiles a corpus has; `augment` how they are changed, once, before
    training. `whole` lets training clips in one piece be learnt from beside their tiles. `inner_folds` splits the
    training speakers for the temperature where only a head learns; else `learning.stopping` holds speakers out.
    """

    kind: Literal["network"] = "network"
    encoder: EncoderConfig
    head: HeadConfig = HeadConfig()
    copies: dict[str, int] = {}  # noqa: RUF012  # msgspec copies it for every recipe
    augment: Augment = Augment()
    whole: bool = True
    learning: Plan = Plan()
    head_learning: Plan | None = None
    inner_folds: int = 3


def network_problems(recipe: NetworkRecipe) -> list[str]:
    """Name what is out of range in the tables of networks."""
    plans = {"learning": recipe.learning}
    if recipe.head_learning is not None:
        plans["head_learning"] = recipe.head_learning
    head = recipe.head
    return [
        *failed(
            {
                f"copies is {recipe.copies}, expected numbers from 0": all(n >= 0 for n in recipe.copies.values()),
                f"head.hidden is {head.hidden}, expected at least 1": head.hidden >= 1,
                f"head has dropouts of {head.dropout_in} and {head.dropout}, expected 0 to below 1": all(
                    0 <= share < 1 for share in (head.dropout_in, head.dropout)
                ),
                f"inner_folds is {recipe.inner_folds}, expected at least 2": recipe.inner_folds >= 2,
            }
        ),
        *(f"augment.{problem}" for problem in problems(recipe.augment)),
        *(f"{name}.{problem}" for name, plan in plans.items() for problem in plan_problems(plan)),
    ]
