"""Find models by name: those that come with the package, those that were fetched, and files."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from statistics import fmean

from emovox.schema.card import ModelCard, decode_card
from emovox.schema.errors import CardError, UnknownModelError
from emovox.schema.folders import data_folder

LARGEST_DEFAULT = 24_000_000
"""Largest size of the default model in bytes: the default is the most accurate model up to this size."""

HEADLINE_METRIC = "UAR"

HEADS = "heads"
"""Subfolder of the cards of heads: each replaces the head of a shipped model, whose encoder it shares."""


def models_folder() -> Path:
    """Return the folder of fetched models: `$EMOVOX_MODELS`, or one for data of this user; it may not exist yet."""
    return data_folder("models", "EMOVOX_MODELS")


def shipped(folder: Path | None = None) -> dict[str, Path]:
    """Return the path of the card of every shipped and every fetched model, by name.

    Args:
        folder: folder of the cards; None takes `pretrained` of the package, and `models_folder()`.
    """
    return _cards(folder, ".")


def heads(folder: Path | None = None) -> dict[str, Path]:
    """Return the path of the card of every shipped head, by name; `folder` as in `shipped`."""
    return _cards(folder, HEADS)


def encoder_path(path: Path, card: ModelCard) -> Path | None:
    """Return the card's path of the model that a head belongs to: beside the head, one folder up, or shipped.

    Args:
        path: of the head's card or graph.
        card: of the head; None is returned for the card of a whole model.

    Raises:
        CardError: there is no such model.
    """
    if card.encoder is None:
        return None
    folders = [path.parent, path.parent.parent, *_folders(None)]
    places = [folder / f"{card.encoder.name}.json" for folder in folders]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise CardError(
            f"{path}: head '{card.name}' needs the model '{card.encoder.name}', expected {places[0]}, {places[1]}, "
            "or a shipped model; copy that model there"
        )
    return found


def _folders(folder: Path | None) -> list[Path]:
    return [Path(str(files("emovox") / "pretrained")), models_folder()] if folder is None else [folder]


def _cards(folder: Path | None, inner: str) -> dict[str, Path]:
    """Return the cards in the subfolder `inner`, sorted by name; a shipped one hides a fetched one of its name."""
    found = {path.stem: path for root in reversed(_folders(folder)) for path in (root / inner).glob("*.json")}
    return dict(sorted(found.items()))


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
    """Return the size in bytes of the graph beside the card or graph at `path`, or 0 if there is none."""
    graph = path.with_suffix(".onnx")
    return graph.stat().st_size if graph.exists() else 0


def resolve(name: str | None = None, *, head: str | None = None, folder: Path | None = None) -> Path:
    """Return the path of the card of a model.

    Args:
        name: a shipped name, a path of a card or a graph (`.json`, `.onnx`), or the run folder of `emovox train`; None
            takes the default model, or the one that `head` belongs to.
        head: a shipped head or a path of one, which replaces the head of the model. Its own name serves as `name` too.
        folder: folder of the shipped models; None takes `pretrained` of the package.

    Returns:
        The path of the card of the model, or of the head.

    Raises:
        UnknownModelError: `name` is neither a shipped name, nor an existing file, nor a run with an exported model. The
            message lists the names. Or there is no such head.
        CardError: the head belongs to another model.
    """
    if name is not None and not isinstance(name, str | os.PathLike):
        raise UnknownModelError(f"got {name!r:.60} for a model, expected a shipped name or a path")
    if head is not None and not isinstance(head, str | os.PathLike):
        raise UnknownModelError(f"no head {head!r:.60}: expected a shipped name or a path")
    if head is not None:
        return _with_head(name, head, folder)
    models = shipped(folder)
    if name is None:
        return _default(models)
    if name in (known := {**heads(folder), **models}):
        return known[name]
    path = Path(name)
    if path.suffix in (".json", ".onnx") and os.path.isfile(path):  # pathlib raises if a name is too long
        return path.with_suffix(".json")
    if os.path.isdir(path):
        return _of_run(path)
    raise UnknownModelError(
        f"no model '{name}': shipped are {', '.join(models) or 'none'}, emovox models fetch brings more; "
        "give one of these names, or the path of a NAME.onnx with NAME.json beside it"
    )


def named_with_head(name: str | None, head: str | None) -> str | None:
    """Return a name that stands for a model with another head wherever one name is taken; `name` without a head."""
    return name if head is None else str(resolve(name, head=head))


def _with_head(name: str | None, head: str, folder: Path | None) -> Path:
    """Return the path of the head's card, after a check that it belongs to the model of this name."""
    known = heads(folder)
    path = known.get(head) or Path(head)
    if not path.name or not os.path.isfile(path := path.with_suffix(".json")):
        raise UnknownModelError(
            f"no head '{head}': shipped are {', '.join(known) or 'none'}; give one of these names, or the path of a "
            "NAME.onnx with NAME.json beside it"
        )
    card = read_card(path)
    if card.encoder is None:
        raise CardError(f"{path}: got a whole model as the head; give it by --model alone")
    if name is not None and (model := read_card(resolve(name, folder=folder))).sha256 != card.encoder.sha256:
        raise CardError(
            f"head '{card.name}' belongs to the model '{card.encoder.name}', got '{model.name}'; "
            f"use --model {card.encoder.name}"
        )
    return path


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
