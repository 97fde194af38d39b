"""What every recipe says: on which data is trained, by which protocol, and what comes out."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Literal

import msgspec

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


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training: `labels` are the outputs of the exported model (default: all classes), `export` makes one.

    Test clips are scored as `predict` hears them, whole, and through 8 kHz; `conditions` names further test conditions
    (`emovox.augment.conditions`).

    A kind of method adds its tables in a structure of its own, and is made known in `emovox.training.read`.
    """

    name: str
    data: Data
    kind: str
    seed: int = 0
    labels: tuple[str, ...] = ()
    description: str = ""
    export: bool = False
    conditions: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Render the resolved recipe, every default spelled out."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode() + "\n"

    def sha256(self) -> str:
        """Return the hash of what the recipe says: with one version and machine, equal ones give equal figures.

        Values that are the default count as not said, so that a key that a later version adds changes no hash.
        """
        said = {**_said(self), "kind": self.kind}
        return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def _said(value: Any) -> Any:
    """Leave out of a structure, and of those within it, what is the default."""
    if isinstance(value, tuple):
        return [_said(one) for one in value]
    if not isinstance(value, msgspec.Struct):
        return value
    kind = value.__struct_config__
    found = {kind.tag_field: kind.tag} if kind.tag_field is not None else {}
    for field in msgspec.structs.fields(value):
        own = getattr(value, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if own != default:
            found[field.encode_name] = _said(own)
    return found


def recipe_problems(recipe: Recipe) -> list[str]:
    """Name what is out of range in what all recipes share: key, what it is, what was expected."""
    data = recipe.data
    return failed(
        {
            f"data.corpora is {list(data.corpora)}, expected at least one": bool(data.corpora),
            f"name is '{recipe.name}', expected letters, digits, '.', '_' or '-', as files are named by it": bool(
                _FILE_NAME.fullmatch(recipe.name)
            ),
            f"seed is {recipe.seed}, expected 0 to {MOST_SEED}": 0 <= recipe.seed <= MOST_SEED,
            f"labels are {list(recipe.labels)}, expected none, or two or more different names": not recipe.labels
            or 2 <= len(recipe.labels) == len(set(recipe.labels)),
            f"data.view is '{data.view}' with {len(data.corpora)} corpora, expected 'own' or 'seven'": data.view
            in ("own", "seven")
            or len(data.corpora) == 1,
            f"data.target is {data.target} with protocol '{data.protocol}', expected the name of a corpus for "
            "zero-shot and none otherwise": (data.target is not None) == (data.protocol == "zero-shot"),
        }
    )


def failed(checks: dict[str, bool]) -> list[str]:
    """Return the messages whose check is false.

    >>> failed({"seed is -1, expected 0 or more": False, "name is '', expected letters": True})
    ['seed is -1, expected 0 or more']
    """
    return [message for message, good in checks.items() if not good]
