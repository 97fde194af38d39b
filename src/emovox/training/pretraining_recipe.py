"""Recipes of pretraining: an encoder learns who speaks, before it learns what is felt."""

from __future__ import annotations

from typing import Literal

from emovox.augment.config import Augment
from emovox.models.encoders import EncoderConfig
from emovox.models.head import HeadConfig
from emovox.training.network_recipe import learning_problems
from emovox.training.plan import Plan, Stopping
from emovox.training.recipe import Data, Recipe, failed


class Voices(Data, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The clips, speaker-dependent by nature: what is held out are other videos of the speakers that are learnt."""

    protocol: Literal["sd"] = "sd"
    view: Literal["own"] = "own"
    target: None = None


class PretrainingRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Encoder and head learn by `learning` whose voice a clip is; the encoder is kept, the head is not.

    Of every speaker the share `held_out` of the videos is held out. UAR on them is measured every
    `learning.stopping.every` steps, it stops the learning, and the weights of the best measurement are kept.

    `copies` says how many changed copies of its tiles a corpus has; `augment` how they are changed.
    """

    kind: Literal["pretraining"] = "pretraining"
    data: Voices
    encoder: EncoderConfig
    head: HeadConfig = HeadConfig()
    copies: dict[str, int] = {}  # noqa: RUF012  # msgspec copies it for every recipe
    augment: Augment = Augment()
    learning: Plan = Plan()
    held_out: float = 0.1


def pretraining_problems(recipe: PretrainingRecipe) -> list[str]:
    """Name what is out of range in the tables of pretraining."""
    stopping = recipe.learning.stopping
    return [
        *failed(
            {
                f"held_out is {recipe.held_out}, expected more than 0 and less than 1": 0 < recipe.held_out < 1,
                f"labels are {list(recipe.labels)}, expected none: the classes are the speakers": not recipe.labels,
                "export is true, expected false: of a pretraining the encoder is kept, and no model": not recipe.export,
                f"learning.stopping is {stopping}, expected no share and no least: held_out says what is held out": (
                    stopping == Stopping(every=stopping.every, patience=stopping.patience)
                ),
                "learning.loss.hint is set, expected 0: nobody teaches a pretraining": recipe.learning.loss.hint == 0,
                "learning.loss.alpha has classes, expected none: speakers count alike": not recipe.learning.loss.alpha,
            }
        ),
        *learning_problems(recipe.head, recipe.copies, recipe.augment, {"learning": recipe.learning}),
    ]
