"""Find models by name: those that come with the package, and files."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from statistics import fmean

from emovox.schema.card import ModelCard, decode_card
from emovox.schema.errors import CardError, UnknownModelError

LARGEST_DEFAULT = 24_000_000
"""Largest size of the default model in bytes: the default is the most accurate model up to this size."""

HEADLINE_METRIC = "UAR"


def shipped(folder: Path | None = None) -> dict[str, Path]:
    """Return the path of the card of every shipped model, by name.

    Args:
        folder: folder of the cards; None takes `pretrained` of the package.
    """
    folder = Path(str(files("emovox") / "pretrained")) if folder is None else folder
    return {path.stem: path for path in sorted(folder.glob("*.json"))}


def read_card(path: Path) -> ModelCard:
    """Read and check a card without its graph.

    Raises:
        CardError: the file cannot be read or is not a card.
    """
    return decode_card(read_part(path), where=str(path))


def read_part(path: Path) -> bytes:
    """Read one of the two files of a model.

    Raises:
        CardError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise CardError(
            f"{path}: cannot be read ({error.strerror}); expected two files beside each other, NAME.onnx and NAME.json"
        ) from error


def graph_size(path: Path) -> int:
    """Return the size in bytes of the graph beside the card at `path`, or 0 if there is none."""
    graph = path.with_suffix(".onnx")
    return graph.stat().st_size if graph.exists() else 0


def resolve(name: str | None = None, *, folder: Path | None = None) -> Path:
    """Return the path of the card of a model.

    Args:
        name: a shipped name, a path of a card or a graph (`.json`, `.onnx`), or the run folder of `emovox train`; None
            takes the default model.
        folder: folder of the shipped models; None takes `pretrained` of the package.

    Raises:
        UnknownModelError: `name` is neither a shipped name, nor an existing file, nor a run with an exported model. The
            message lists the names.
    """
    if name is not None and not isinstance(name, str | os.PathLike):
        raise UnknownModelError(f"got {name!r:.60} for a model, expected a shipped name or a path")
    models = shipped(folder)
    if name is None:
        return _default(models)
    if name in models:
        return models[name]
    path = Path(name)
    if path.suffix in (".json", ".onnx") and os.path.isfile(path):  # pathlib raises if a name is too long
        return path.with_suffix(".json")
    if os.path.isdir(path):
        return _of_run(path)
    raise UnknownModelError(
        f"no model '{name}': shipped are {', '.join(models) or 'none'}; "
        "give one of these names, or the path of a NAME.onnx with NAME.json beside it"
    )


def _of_run(folder: Path) -> Path:
    """Find the card of the model that a run exported: the one .onnx in its folder with a .json beside it."""
    found = [path for path in sorted(folder.glob("*.json")) if path.with_suffix(".onnx").is_file()]
    if len(found) != 1:
        names = ", ".join(path.stem for path in found) or "none"
        raise UnknownModelError(
            f"no model in {folder}: expected one NAME.onnx with NAME.json beside it, got {names}; a run has one where "
            "its recipe says export = true"
        )
    return found[0]


def _default(models: dict[str, Path]) -> Path:
    small = [path for path in models.values() if 0 < graph_size(path) <= LARGEST_DEFAULT]
    if not small:
        raise UnknownModelError(
            f"no shipped model of at most {LARGEST_DEFAULT // 1_000_000} MB is installed; give the path of a NAME.onnx"
        )
    return small[0] if len(small) == 1 else max(small, key=lambda path: _accuracy(read_card(path)))


def _accuracy(card: ModelCard) -> float:
    values = [figure.value for figure in card.figures if figure.metric == HEADLINE_METRIC]
    return fmean(values) if values else 0.0
