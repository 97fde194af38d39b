"""Recipes of the baseline: functionals, views to learn from, and the grid of its machines."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Literal

import msgspec

from emovox.features.groups import GROUPS
from emovox.training.data.views import WHOLE
from emovox.training.recipe import Recipe, failed
from emovox.training.svm.rows import speed_view


class Features(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What of the functionals is used.

    `groups` of `emovox.features.groups`; `pca` the share of variance kept (0: no PCA); `select` how many (0: all).
    """

    groups: tuple[str, ...] = tuple(GROUPS)
    pca: float = 0.95
    select: int = 0


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Further views of the training clips; test clips are never changed.

    `whole` adds each clip in one piece beside its tiles; `speeds` adds its tiles played faster or slower, which shifts
    pitch and formants: voices of other sizes. `corpora` limits both to some corpora (default: all). `narrow` adds all
    tiles as they sound through 8 kHz: without it telephone recordings of RAVDESS fall from 55 to 23 % UAR.
    """

    whole: bool = False
    speeds: tuple[float, ...] = ()
    narrow: bool = False
    corpora: tuple[str, ...] = ()

    @property
    def copies(self) -> tuple[str, ...]:
        """The views that are learnt from beside the tiles and the telephone's (`emovox.training.data.views`).

        >>> Augment(whole=True, speeds=(0.93,)).copies
        ('speed 0.93', 'whole')
        """
        return (*(speed_view(factor) for factor in self.speeds), *([WHOLE] if self.whole else []))


class Svm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The grid that is searched on training speakers: penalties `c`, widths `gamma` relative to 1 / (d · variance).

    `inner_folds` splits the training speakers; with one point in the grid it only serves the temperature.
    """

    c: tuple[float, ...] = (1.0, 3.0, 10.0)
    gamma: tuple[float, ...] = (0.3, 0.6)
    inner_folds: int = 3


class SvmRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training of the baseline."""

    kind: Literal["svm"] = "svm"
    augment: Augment = Augment()
    features: Features = Features()
    svm: Svm = Svm()


def svm_problems(recipe: SvmRecipe) -> list[str]:
    """Name what is out of range in the tables of the baseline: key, what it is, what was expected."""
    features, svm = recipe.features, recipe.svm
    unknown = [group for group in features.groups if group not in GROUPS]
    return failed(
        {
            f"features.groups has {unknown}, expected some of {', '.join(GROUPS)}": not unknown
            and bool(features.groups),
            f"features.pca is {features.pca}, expected 0 (none) to below 1": 0 <= features.pca < 1,
            f"features.select is {features.select}, expected 0 (all) or more": features.select >= 0,
            f"augment.speeds is {list(recipe.augment.speeds)}, expected factors from 0.5 to 2 other than 1": all(
                0.5 <= speed <= 2 and speed != 1 for speed in recipe.augment.speeds
            ),
            f"svm.c is {list(svm.c)}, expected numbers above 0": _positive(svm.c),
            f"svm.gamma is {list(svm.gamma)}, expected numbers above 0": _positive(svm.gamma),
            f"svm.inner_folds is {svm.inner_folds}, expected at least 2": svm.inner_folds >= 2,
        }
    )


def _positive(values: Sequence[float]) -> bool:
    return bool(values) and all(0 < value < inf for value in values)
