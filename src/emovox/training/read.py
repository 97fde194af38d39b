"""Read recipes from TOML: `base` names the recipe that one builds on, `teacher.recipe` that of its teacher.

`teacher.run` names a finished run, whose networks teach.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emovox.schema.config import override, read_toml
from emovox.schema.errors import RecipeError
from emovox.training.run_folder import RESOLVED


def read_document(path: Path, assignments: Sequence[str] = ()) -> dict[str, Any]:
    """Return the tables of a recipe, with `key=value` arguments applied.

    A recipe with the key `base` changes another one: keys that it lacks come from there. The key `teacher.recipe` names
    a recipe too; the teacher uses the data and labels of the student, and "" means no teacher.

    Returns:
        The keys and values; the default of `name` is the name of the file.

    Raises:
        RecipeError: the file cannot be read, or a recipe builds on itself; the message names the file and the key.
    """
    data = _with_base(path)
    written = _corpora(data)
    for assignment in assignments:
        data = _with_teacher(override(data, [assignment]), path)
    described = any(assignment.startswith("description=") for assignment in assignments)
    if written and _corpora(data) != written and not described:
        data.pop("description", None)  # it is about the corpora of the file
    return {"name": path.stem, **_with_students_data(data)}


def _corpora(data: dict[str, Any]) -> Any:
    """Return the corpora of a recipe, unchecked; None without any."""
    table = data.get("data")
    return table.get("corpora") if isinstance(table, dict) else None


def _with_base(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return a recipe merged over its base, which may have a base itself."""
    document = _with_teacher(read_toml(path), path, seen)
    base = document.pop("base", None)
    if base is None:
        return document
    if not isinstance(base, str):
        raise RecipeError(f"{path}: base is {base!r}, expected the name of a recipe beside this one")
    found = path.parent / base
    if found.resolve() in (path.resolve(), *seen):
        raise RecipeError(f"{path}: base is '{base}', which builds on this one; expected a recipe that does not")
    return _merged(_with_base(found, (*seen, path.resolve())), document)


def _with_teacher(data: dict[str, Any], path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Replace the name of the teacher's recipe by the recipe; "" removes the teacher."""
    teacher = data.get("teacher")
    if isinstance(teacher, dict) and teacher.get("run"):
        return {**data, "teacher": {**teacher, "recipe": _run_recipe(teacher["run"], path)}}
    named = teacher.get("recipe") if isinstance(teacher, dict) else None
    if not isinstance(teacher, dict) or not isinstance(named, str):
        return data
    found = path.parent / named
    if not named:
        recipe: dict[str, Any] = {}
    elif found.resolve() in (path.resolve(), *seen):
        raise RecipeError(f"{path}: teacher.recipe is '{named}', which has this one for a teacher; expected another")
    else:
        own = _with_base(found, (*seen, path.resolve()))
        recipe = {"name": found.stem, **own, "export": False, "adaptation": False, "speech": False}
        if recipe.get("kind") != "network":
            raise RecipeError(f"{path}: teacher.recipe is '{named}', expected a recipe of kind network")
    return {**data, "teacher": {**teacher, "recipe": recipe}}


def _run_recipe(run: Any, path: Path) -> dict[str, Any]:
    """Return the recipe of a run that teaches, without what only its training needs."""
    try:
        recipe: dict[str, Any] = json.loads((Path(run).expanduser() / RESOLVED).read_bytes())
        if recipe["kind"] == "network":
            unused: dict[str, Any] = {
                "teacher": None,
                "copies": {},
                "augment": {},
                "export": False,
                "adaptation": False,
                "speech": False,
            }
            return {**recipe, **unused}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            f"{path}: teacher.run is '{run}', not the folder of a run ({error}); expected one of emovox train"
        ) from error
    raise RecipeError(f"{path}: teacher.run is '{run}' of kind '{recipe['kind']}', expected a run of kind network")


def _with_students_data(data: dict[str, Any]) -> dict[str, Any]:
    """Give the teacher the data and labels of the student, or remove a teacher without a recipe."""
    teacher = data.get("teacher")
    if not isinstance(teacher, dict) or not isinstance(teacher.get("recipe"), dict):
        return data
    if teacher.get("run"):
        return data
    if not teacher["recipe"]:
        return {key: value for key, value in data.items() if key != "teacher"}
    shared = {key: data[key] for key in ("data", "labels") if key in data}
    return {**data, "teacher": {**teacher, "recipe": {**teacher["recipe"], **shared}}}


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merge two documents, tables key by key; where both have a value, that of `above` is used.

    A table with another `name` (another encoder) replaces the one below as a whole: their keys differ.
    """
    tables = {}
    for key, value in above.items():
        other = below.get(key)
        if isinstance(value, dict) and isinstance(other, dict) and value.get("name") in (None, other.get("name")):
            tables[key] = _merged(other, value)
    return {**below, **above, **tables}
