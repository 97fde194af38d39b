"""Recipes of the baseline: functionals, training views, and the grid of its machines."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Literal

import msgspec

from emovox.augment.config import Augment, table_problems
from emovox.features.groups import GROUPS
from emovox.models.functionals import FunctionalsConfig
from emovox.training.recipe import Recipe, failed


class Features(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The functionals that are used.

    Attributes:
        groups: names of `emovox.features.groups`.
        pca: share of the variance that the principal components keep, in [0, 1); 0: no PCA.
        select: number of functionals kept, by mutual information with the class; 0: all.
    """

    groups: tuple[str, ...] = tuple(GROUPS)
    pca: float = 0.95
    select: int = 0


class Svm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The grid that is searched on training speakers.

    Attributes:
        c: penalties, > 0.
        gamma: kernel widths relative to 1 / (d · variance), > 0.
        inner_folds: number of splits of the training speakers, at least 2; they choose the point and the temperature.
    """

    c: tuple[float, ...] = (1.0, 3.0, 10.0)
    gamma: tuple[float, ...] = (0.3, 0.6)
    inner_folds: int = 3


class SvmRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The recipe of the baseline.

    Attributes:
        encoder: always the functionals.
        copies: corpus → number of changed copies of its tiles.
        augment: how copies are changed; rounds of copies take several tables in turn.
        whole: whether whole clips are trained on, beside their tiles; or the corpora of which they are.
        narrow: whether all tiles are also trained on through 8 kHz. Without it telephone recordings of RAVDESS fall
            from 55 to 22 % UAR.
        features: the functionals that are used.
        svm: the grid.
    """

    kind: Literal["svm"] = "svm"
    encoder: FunctionalsConfig = FunctionalsConfig()
    copies: dict[str, int] = {}  # noqa: RUF012  # msgspec copies it for every recipe
    augment: Augment | tuple[Augment, ...] = Augment()
    whole: bool | tuple[str, ...] = True
    narrow: bool = False
    features: Features = Features()
    svm: Svm = Svm()


def svm_problems(recipe: SvmRecipe) -> list[str]:
    """Return a message for each value out of range in the tables of the baseline: key, value, what was expected."""
    features, svm = recipe.features, recipe.svm
    unknown = [group for group in features.groups if group not in GROUPS]
    return [
        *failed(
            {
                f"copies is {recipe.copies}, expected numbers from 0": all(n >= 0 for n in recipe.copies.values()),
                f"data.weights is {recipe.data.weights}, expected none: machines learn from each clip once": not (
                    recipe.data.weights
                ),
                f"features.groups has {unknown}, expected some of {', '.join(GROUPS)}": not unknown
                and bool(features.groups),
                f"features.pca is {features.pca}, expected 0 (none) to below 1": 0 <= features.pca < 1,
                f"features.select is {features.select}, expected 0 (all) or more": features.select >= 0,
                f"svm.c is {list(svm.c)}, expected numbers above 0": _positive(svm.c),
                f"svm.gamma is {list(svm.gamma)}, expected numbers above 0": _positive(svm.gamma),
                f"svm.inner_folds is {svm.inner_folds}, expected at least 2": svm.inner_folds >= 2,
            }
        ),
        *table_problems(recipe.augment),
    ]


def _positive(values: Sequence[float]) -> bool:
    return bool(values) and all(0 < value < inf for value in values)
