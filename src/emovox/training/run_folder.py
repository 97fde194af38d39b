"""The folder of a run: the names of its files, its recipe, and whether a training may use it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from emovox.runtime.vad import VAD_VERSION
from emovox.schema.errors import RecipeError
from emovox.schema.files import write_whole
from emovox.schema.text import json_document
from emovox.training.recipe import Recipe

MODEL, QUANTISED = "model", "quantised"
"""Folders of the trained network and of its copy for INT8, within that of a fold."""

RESOLVED, VERSIONS = "recipe.json", "versions.json"
"""Files of a run folder: the recipe with all defaults written out; the versions of packages."""


def model_folder(folder: Path, fold: int | None = None) -> Path:
    """Return the folder of the trained network of a fold. Default: that of all clips."""
    return folder / "folds" / ("all" if fold is None else str(fold)) / MODEL


def no_run(folder: Path, error: Exception) -> RecipeError:
    """Return the error that a folder holds no run."""
    return RecipeError(f"{folder}: not the folder of a run ({error}); expected one that emovox train has made")


def open_folder(folder: Path, recipe: Recipe, distributions: Sequence[str], *, resume: bool) -> None:
    """Write recipe and versions of distributions into a new run folder; leave that of the same run as it is.

    Raises:
        RecipeError: the folder holds a run of another recipe, or one of this recipe and `resume` is false.
    """
    if is_same_run(folder, recipe, resume=resume):
        write_whole(folder / RESOLVED, recipe.to_json().encode())  # it may learn an adaptation, or speech, now
        return
    versions = {name: version(name) for name in distributions}
    about = {
        "python": platform.python_version(),
        **versions,
        "detector": str(VAD_VERSION),
        "recipe_sha256": recipe.sha256(),
    }
    write_whole(folder / VERSIONS, json_document(about).encode(), make_folder=True)
    write_whole(folder / RESOLVED, recipe.to_json().encode())


def is_same_run(folder: Path, recipe: Recipe, *, resume: bool) -> bool:
    """Return whether a folder holds a run of this recipe to resume; False: it holds no run.

    A run of another recipe that failed before it kept any work does not count.

    Raises:
        RecipeError: as by `open_folder`.
    """
    if not (folder / RESOLVED).exists():
        return False
    same = is_same_recipe(folder, recipe)
    if not same and not _has_work(folder):
        return False
    if not resume:
        raise RecipeError(
            f"{folder}: holds a run already; continue it with --resume, or name another folder by --output"
        )
    if not same:
        raise RecipeError(f"{folder}: holds a run of another recipe; name another folder by --output")
    return True


def is_same_recipe(folder: Path, recipe: Recipe) -> bool:
    """Return whether the recipe of a run equals this one; keys that a later version added have their defaults."""
    try:
        return msgspec.json.decode((folder / RESOLVED).read_bytes(), type=type(recipe)).sha256() == recipe.sha256()
    except msgspec.DecodeError:
        return False


def _has_work(folder: Path) -> bool:
    """Return whether there is a fold, a checkpoint, or anything but recipe, versions and logs."""
    files = (path.name for path in folder.rglob("*") if path.is_file())
    return any(name not in (RESOLVED, VERSIONS, "log.csv") and not name.startswith("events.") for name in files)
