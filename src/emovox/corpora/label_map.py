"""A label map of the user: native label → label, from options or a file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from emovox.schema.errors import CorpusError
from emovox.schema.text import some, tidy_name

LabelMap: TypeAlias = Mapping[str, str | None]
"""Native label → label, or None to drop the clips."""

_EXPECTED = "expected native=label, native= to drop the label, or a .toml or .json file of such pairs"

_MOST_UNKNOWN = 20
"""Unknown labels that a message names, at most."""


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
            labels[tidy_name(native)] = label or None
        elif item.endswith((".toml", ".json")):
            labels |= _read_file(Path(item))
        else:
            raise CorpusError(f"label map: got '{item}', {_EXPECTED}")
    return labels


def apply_label_map(natives: Sequence[tuple[str, str]], labels: LabelMap | None) -> list[str | None]:
    """Return the labels of native labels; None drops the clip.

    Args:
        natives: (file of the label for the message, native label).
        labels: the map; without one, native labels are the labels.

    Raises:
        CorpusError: labels are not in the map; no label is dropped silently. The message names all of them.
    """
    names = [tidy_name(native) for _, native in natives]
    if labels is None:
        return [*names]
    unknown = {name: where for (where, _), name in reversed([*zip(natives, names, strict=True)]) if name not in labels}
    if unknown:
        found = [f"{where}: got the label '{name}'" for name, where in reversed(unknown.items())]
        options = " ".join(f"--map '{name}=…'" for name in reversed(unknown))
        raise CorpusError(
            f"{some(found, most=_MOST_UNKNOWN)}, expected one of {', '.join(sorted(labels))}; "
            f"add {options} (or '{next(reversed(unknown))}=' to drop it)"
        )
    return [labels[name] for name in names]


def _read_file(path: Path) -> dict[str, str | None]:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else msgspec.json.decode(text)
        table = msgspec.convert(data, dict[str, str | None])
    except (OSError, ValueError, RecursionError, msgspec.DecodeError) as error:  # ValueError: bytes, TOML, numbers
        raise CorpusError(f"label map {path}: {error}; {_EXPECTED}") from error
    return {tidy_name(native): label or None for native, label in table.items()}
