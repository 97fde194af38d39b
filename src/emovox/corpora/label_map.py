"""A label map of the user: native label → label, from options or a file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from emovox.schema.errors import CorpusError

LabelMap: TypeAlias = Mapping[str, str | None]
"""Native label → label, or None to drop the clips."""

_EXPECTED = "expected native=label, native= to drop the label, or a .toml or .json file of such pairs"


def read_label_map(items: Iterable[str]) -> dict[str, str | None]:
    """Return the label map of command-line options.

    Args:
        items: "native=label" ("native=" drops the label), or the name of a .toml or .json file with one table of such
            pairs (an empty text drops the label, in JSON also null). Later items override earlier ones.

    Raises:
        CorpusError: an item is neither, or a file is not such a table.

    >>> read_label_map(["joy=happy", "amused=happy", "unclear="])
    {'joy': 'happy', 'amused': 'happy', 'unclear': None}
    """
    labels: dict[str, str | None] = {}
    for item in items:
        native, separator, label = item.partition("=")
        if separator and native:
            labels[native] = label or None
        elif item.endswith((".toml", ".json")):
            labels |= _read_file(Path(item))
        else:
            raise CorpusError(f"label map: got '{item}', {_EXPECTED}")
    return labels


def apply_label_map(native: str, labels: LabelMap, *, where: str) -> str | None:
    """Return the label of a native label; None drops the clip.

    Args:
        native: native label.
        labels: the map.
        where: file of the label, for the message.

    Raises:
        CorpusError: the label is not in the map; no label is dropped silently.
    """
    if native not in labels:
        raise CorpusError(
            f"{where}: got the label '{native}', expected one of {', '.join(sorted(labels))}; "
            f"add --map '{native}=…' (or '{native}=' to drop it)"
        )
    return labels[native]


def _read_file(path: Path) -> dict[str, str | None]:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else msgspec.json.decode(text)
        table = msgspec.convert(data, dict[str, str | None])
    except (OSError, ValueError, RecursionError, msgspec.DecodeError) as error:  # ValueError: bytes, TOML, numbers
        raise CorpusError(f"label map {path}: {error}; {_EXPECTED}") from error
    return {native: label or None for native, label in table.items()}
