"""Recipes of voice and face: those of a network for the voice, and a table for the face."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from emovox.audio.pictures import RATE
from emovox.training.network_recipe import NetworkRecipe, network_problems
from emovox.training.recipe import failed


class FaceTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the face is seen and learnt.

    Attributes:
        rate: pictures a second, > 0.
        regularisation: inverse strength of the L2 penalty of the logistic regression on the face, > 0.
        heaviest: highest weight of the face to choose from, > 0; that of the voice is 1.
    """

    rate: float = RATE
    regularisation: float = 0.01
    heaviest: float = 2.0


class FaceRecipe(NetworkRecipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The recipe of voice and face.

    The voice learns as a network does. A logistic regression learns what the face shows in a clip: mean and deviation
    of the expression network's scores and of its embedding. The weight of the face and the temperature come from
    training speakers that neither has heard or seen.

    Attributes:
        face: the table of the face.
    """

    kind: Literal["face"] = "face"  # type: ignore[assignment]  # another kind has other recipes
    face: FaceTable = FaceTable()


def face_problems(recipe: FaceRecipe) -> list[str]:
    """Return a message for each value out of range in the tables of voice and face."""
    values = {name: getattr(recipe.face, name) for name in FaceTable.__struct_fields__}
    return [
        *network_problems(recipe),
        *failed(
            {
                **{
                    f"face.{name} is {value}, expected more than 0": 0 < value < math.inf
                    for name, value in values.items()
                },
                "export is true, expected false: voice and face are measured, not exported": not recipe.export,
                "adaptation is true, expected false: it is learnt for models that are exported": not recipe.adaptation,
            }
        ),
    ]
