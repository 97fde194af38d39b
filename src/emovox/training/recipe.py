"""Recipes: what is trained on which data, as frozen typed structures read from TOML."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Literal

import msgspec

from emovox.features.groups import GROUPS
from emovox.schema.config import convert, override, read_toml
from emovox.schema.errors import RecipeError

Protocol = Literal["si", "joint", "sd", "zero-shot"]

MOST_SEED = 2**32 - 1
"""What scikit-learn takes."""

_FILE_NAME = re.compile(r"\w[\w.-]*")


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The clips.

    `corpora` are names of published corpora or paths of manifests (.jsonl). `view` names the label view of a single
    corpus ("ravdess-8"), or is "seven" (calm becomes neutral, boredom is dropped); "own" takes the labels as they are.
    `target` is the corpus that "zero-shot" tests on.
    """

    corpora: tuple[str, ...]
    protocol: Protocol
    view: str = "own"
    target: str | None = None


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


class Svm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The grid that is searched on training speakers: penalties `c`, widths `gamma` relative to 1 / (d · variance).

    `inner_folds` splits the training speakers; with one point in the grid it only serves the temperature.
    """

    c: tuple[float, ...] = (1.0, 3.0, 10.0)
    gamma: tuple[float, ...] = (0.3, 0.6)
    inner_folds: int = 3


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training: `labels` are the outputs of the exported model (default: all classes), `export` makes one."""

    name: str
    data: Data
    kind: Literal["svm"] = "svm"
    seed: int = 0
    labels: tuple[str, ...] = ()
    description: str = ""
    export: bool = False
    augment: Augment = Augment()
    features: Features = Features()
    svm: Svm = Svm()

    def to_json(self) -> str:
        """Render the resolved recipe, every default spelled out."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode() + "\n"

    def sha256(self) -> str:
        """Return the hash of the resolved recipe: equal recipes give equal figures on the same machine."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def read_recipe(path: Path, assignments: list[str] | None = None) -> Recipe:
    """Read a recipe and apply `key=value` arguments.

    Raises:
        RecipeError: not readable, unknown key, wrong type, or a value out of range; names the file and the key.
    """
    data = override(read_toml(path), assignments or [])
    data.setdefault("name", path.stem)
    recipe = convert(data, Recipe, where=str(path))
    for problem in _problems(recipe):
        raise RecipeError(f"{path}: {problem}")
    return recipe


def _problems(recipe: Recipe) -> list[str]:
    features, svm, data = recipe.features, recipe.svm, recipe.data
    unknown = [group for group in features.groups if group not in GROUPS]
    checks = {
        f"data.corpora is {list(data.corpora)}, expected at least one": bool(data.corpora),
        f"features.groups has {unknown}, expected some of {', '.join(GROUPS)}": not unknown and bool(features.groups),
        f"features.pca is {features.pca}, expected 0 (none) to below 1": 0 <= features.pca < 1,
        f"name is '{recipe.name}', expected letters, digits, '.', '_' or '-', as files are named by it": bool(
            _FILE_NAME.fullmatch(recipe.name)
        ),
        f"seed is {recipe.seed}, expected 0 to {MOST_SEED}": 0 <= recipe.seed <= MOST_SEED,
        f"labels are {list(recipe.labels)}, expected none, or two or more different names": not recipe.labels
        or 2 <= len(recipe.labels) == len(set(recipe.labels)),
        f"features.select is {features.select}, expected 0 (all) or more": features.select >= 0,
        f"augment.speeds is {list(recipe.augment.speeds)}, expected factors from 0.5 to 2 other than 1": all(
            0.5 <= speed <= 2 and speed != 1 for speed in recipe.augment.speeds
        ),
        f"svm.c is {list(svm.c)}, expected numbers above 0": _positive(svm.c),
        f"svm.gamma is {list(svm.gamma)}, expected numbers above 0": _positive(svm.gamma),
        f"svm.inner_folds is {svm.inner_folds}, expected at least 2": svm.inner_folds >= 2,
        f"data.view is '{data.view}' with {len(data.corpora)} corpora, expected 'own' or 'seven'": data.view
        in ("own", "seven")
        or len(data.corpora) == 1,
        f"data.target is {data.target} with protocol '{data.protocol}', expected the name of a corpus for zero-shot "
        "and none otherwise": (data.target is not None) == (data.protocol == "zero-shot"),
    }
    return [message for message, good in checks.items() if not good]


def _positive(values: Sequence[float]) -> bool:
    return bool(values) and all(0 < value < inf for value in values)
