"""Read recipes from TOML: `base` names a recipe that one is built on, `teacher.recipe` one that teaches it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emovox.schema.config import override, read_toml
from emovox.schema.errors import RecipeError


def read_document(path: Path, assignments: Sequence[str] = ()) -> dict[str, Any]:
    """Read the tables of a recipe and apply `key=value` arguments.

    A recipe with the key `base` is another one with changes: what it does not say, that one says. The key
    `teacher.recipe` names a recipe too; its data and labels are those of the student, and "" is no teacher.

    Returns:
        Its keys; `name` is that of the file unless given.

    Raises:
        RecipeError: not readable, or a recipe that is built on itself; names the file and the key.
    """
    data = _with_base(path)
    for assignment in assignments:
        data = _with_teacher(override(data, [assignment]), path)
    return {"name": path.stem, **_with_students_data(data)}


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
