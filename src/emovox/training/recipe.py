"""The common keys of all recipes: data, protocol, and outputs."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any, Literal

import msgspec

from emovox.corpora.registry import CORPORA, SPEAKER_CORPORA

Protocol = Literal["si", "si-fusion", "joint", "sd", "zero-shot", "auto"]

AUTO: Protocol = "auto"
"""Speaker-independent folds where the clips allow them, else random ones (`emovox.training.settle`)."""

UNLABELLED = "unlabelled"
"""Name of the recordings without labels that a teacher alone gives targets for, in `copies` and `data.weights`."""

MOST_SEED = 2**32 - 1
"""Highest seed: the limit of scikit-learn."""

_FILE_NAME = re.compile(r"\w[\w.-]*")


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The clips of a training.

    Attributes:
        corpora: names of published corpora, or paths of manifests (.jsonl), tables (.csv) and folders; none: those that
            the command names.
        name: of the corpus of your own recordings; "": the name of the file or folder.
        protocol: how folds are made; see docs/protocols.md.
        view: the labels. "own" keeps those of the corpora. "seven" merges calm into neutral and drops boredom. The name
            of a label view ("ravdess-8") serves for a single corpus.
        target: the corpus that "zero-shot" tests on.
        weights: corpus → weight of its clips in training, > 0; 1 for corpora that are not named; "own" for all corpora
            of the user. Names of corpora that are not in `corpora` count nothing, so a recipe can build on another.
    """

    corpora: tuple[str, ...] = ()
    protocol: Protocol
    name: str = ""
    view: str = "own"
    target: str | None = None
    weights: dict[str, float] = {}  # msgspec copies it for every recipe


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The recipe of a training. Each kind adds its tables in a subclass, which `emovox.workflow` registers.

    Attributes:
        name: of the recipe and of files made from it.
        data: the clips.
        kind: of method, a key of `emovox.workflow.KINDS`.
        seed: of all randomness, 0 to `MOST_SEED`.
        labels: outputs of the exported model; none: all classes.
        description: one sentence for readers.
        export: whether a model is exported.
        conditions: further test conditions (`emovox.augment.conditions`). Test clips are always scored in tiles as by
            `predict`, as a whole, and through 8 kHz.
    """

    name: str
    data: Data
    kind: str
    seed: int = 0
    labels: tuple[str, ...] = ()
    description: str = ""
    export: bool = False
    conditions: tuple[str, ...] = ()

    @property
    def learns_adaptation(self) -> bool:
        """Whether the training also learns how the model adapts to a voice."""
        return False

    @property
    def learns_speech(self) -> bool:
        """Whether the training also learns to tell speech from other sounds."""
        return False

    def to_json(self) -> str:
        """Return the recipe as JSON, with all defaults written out."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode() + "\n"

    def sha256(self) -> str:
        """Return the hash of the recipe: with the same version and machine, equal hashes give equal figures.

        Defaults are left out, so a key that a later version adds changes no hash.
        """
        content = {**without_defaults(self), "kind": self.kind}
        return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def without_defaults(value: Any) -> Any:
    """Return a structure, and those within it, without the values that are the default."""
    if isinstance(value, tuple):
        return [without_defaults(one) for one in value]
    if not isinstance(value, msgspec.Struct):
        return value
    kind = value.__struct_config__
    found = {kind.tag_field: kind.tag} if kind.tag_field is not None else {}
    for field in msgspec.structs.fields(value):
        current = getattr(value, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if current != default:
            found[field.encode_name] = without_defaults(current)
    return found


def recipe_problems(recipe: Recipe) -> list[str]:
    """Return a message for each value out of range in the keys of all recipes: key, value, and what was expected."""
    data = recipe.data
    return failed(
        {
            f"data.name is '{data.name}', expected letters, digits, '.', '_' or '-', and not a published corpus": not (
                data.name
            )
            or bool(_FILE_NAME.fullmatch(data.name) and data.name not in {**CORPORA, **SPEAKER_CORPORA}),
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
            f"data.weights is {data.weights}, expected numbers above 0": all(
                0 < weight < math.inf for weight in data.weights.values()
            ),
        }
    )


def failed(checks: dict[str, bool]) -> list[str]:
    """Return the messages whose check is false.

    >>> failed({"seed is -1, expected 0 or more": False, "name is '', expected letters": True})
    ['seed is -1, expected 0 or more']
    """
    return [message for message, good in checks.items() if not good]
