"""Read recipes from TOML: the key `kind` says which method is trained, and so which further tables there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from emovox.schema.config import convert, override, read_toml
from emovox.schema.errors import ConfigError, RecipeError
from emovox.schema.extras import require
from emovox.training.recipe import Recipe, recipe_problems

R = TypeVar("R", bound=Recipe)

DEFAULT_KIND = "svm"


@dataclass(frozen=True)
class Kind(Generic[R]):
    """A kind of recipe: its structure, and what names values out of range in its own tables."""

    struct: type[R]
    problems: Callable[[R], list[str]]


def _svm() -> Kind[Any]:
    from emovox.training.svm.recipe import SvmRecipe, svm_problems

    return Kind(SvmRecipe, svm_problems)


def _network() -> Kind[Any]:
    _require_torch("network")
    from emovox.training.network_recipe import NetworkRecipe, network_problems

    return Kind(NetworkRecipe, network_problems)


def _pretraining() -> Kind[Any]:
    _require_torch("pretraining")
    from emovox.training.pretraining import PretrainingRecipe, pretraining_problems

    return Kind(PretrainingRecipe, pretraining_problems)


def _require_torch(kind: str) -> None:
    for module in ("torch", "lightning_fabric", "safetensors"):
        require(module, need=f"a recipe of kind {kind}", extra="train")


KINDS: Mapping[str, Callable[[], Kind[Any]]] = {"svm": _svm, "network": _network, "pretraining": _pretraining}
"""Looked up by name and imported then: a recipe of one kind needs no library of another."""


def read_recipe(path: Path, assignments: list[str] | None = None) -> Recipe:
    """Read a recipe and apply `key=value` arguments.

    A recipe with the key `base` is another one with changes: what it does not say, that one says. The key
    `teacher.recipe` names a recipe too; its data and labels are those of the student, and "" is no teacher.

    Returns:
        The structure of the recipe's kind (`SvmRecipe` …).

    Raises:
        RecipeError: not readable, unknown kind or key, wrong type, or a value out of range; names the file and the key.
    """
    data = _with_base(path)
    for assignment in assignments or []:
        data = _with_teacher(override(data, [assignment]), path)
    data = _with_students_data(data)
    data.setdefault("name", path.stem)
    name = data.get("kind", DEFAULT_KIND)
    if not isinstance(name, str) or name not in KINDS:
        raise RecipeError(f"{path}: kind is {name!r}, expected one of {', '.join(KINDS)}")
    kind = KINDS[name]()
    try:
        recipe: Recipe = convert(data, kind.struct, where=str(path))
    except RecipeError:
        raise
    except ConfigError as error:  # of a table that checks itself
        raise RecipeError(f"{path}: {error}") from error
    for problem in (*recipe_problems(recipe), *kind.problems(recipe)):
        raise RecipeError(f"{path}: {problem}")
    return recipe


def _with_base(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a recipe over the one that it names as its base, which may have a base of its own."""
    own = _with_teacher(read_toml(path), path, seen)
    base = own.pop("base", None)
    if base is None:
        return own
    if not isinstance(base, str):
        raise RecipeError(f"{path}: base is {base!r}, expected the name of a recipe beside this one")
    found = path.parent / base
    if found.resolve() in (path.resolve(), *seen):
        raise RecipeError(f"{path}: base is '{base}', which is built on this one; expected an end")
    return _merged(_with_base(found, (*seen, path.resolve())), own)


def _with_teacher(data: dict[str, Any], path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Put the teacher's recipe in the place of its name; "" takes the teacher away."""
    teacher = data.get("teacher")
    named = teacher.get("recipe") if isinstance(teacher, dict) else None
    if not isinstance(teacher, dict) or not isinstance(named, str):
        return data
    found = path.parent / named
    if not named:
        recipe: dict[str, Any] = {}
    elif found.resolve() in (path.resolve(), *seen):
        raise RecipeError(f"{path}: teacher.recipe is '{named}', which has this one for a teacher; expected another")
    else:
        recipe = {"name": found.stem, **_with_base(found, (*seen, path.resolve())), "export": False}
        if recipe.get("kind") != "network":
            raise RecipeError(f"{path}: teacher.recipe is '{named}', expected a recipe of kind network")
    return {**data, "teacher": {**teacher, "recipe": recipe}}


def _with_students_data(data: dict[str, Any]) -> dict[str, Any]:
    """Let the teacher learn from the student's data, or leave out one that was taken away."""
    teacher = data.get("teacher")
    if not isinstance(teacher, dict) or not isinstance(teacher.get("recipe"), dict):
        return data
    if not teacher["recipe"]:
        return {key: value for key, value in data.items() if key != "teacher"}
    own = {key: data[key] for key in ("data", "labels") if key in data}
    return {**data, "teacher": {**teacher, "recipe": {**teacher["recipe"], **own}}}


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return both, tables key by key; of other values that stand in both the one above counts.

    A table that names another thing (an encoder of another name) takes the place of the one below: their keys differ.
    """
    tables = {}
    for key, value in above.items():
        other = below.get(key)
        if isinstance(value, dict) and isinstance(other, dict) and value.get("name") in (None, other.get("name")):
            tables[key] = _merged(other, value)
    return {**below, **above, **tables}
