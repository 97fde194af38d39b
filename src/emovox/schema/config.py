"""Typed configuration from TOML; errors about unknown keys and wrong types name the file and the key."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from emovox.schema.errors import RecipeError
from emovox.schema.expected import expected

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file.

    Raises:
        RecipeError: the file cannot be read or is not TOML; the message names the file and the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe; expected a .toml file, see the folder recipes/") from None
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}); expected a .toml file") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or too long a number or too deep a nesting
        raise RecipeError(f"{path}: not valid TOML ({error})") from error


def convert(data: dict[str, Any], kind: type[T], *, where: str) -> T:
    """Convert plain data to a frozen typed structure (a `msgspec.Struct` with `forbid_unknown_fields`).

    Args:
        data: nested dictionaries, as parsed from TOML or JSON.
        kind: class of the structure.
        where: file or argument that the data come from, for messages.

    Raises:
        RecipeError: unknown key, missing key or wrong type; the message names `where`, the key, and the valid keys or
            choices.
    """
    try:
        return msgspec.convert(data, kind, strict=True)
    except msgspec.ValidationError as error:
        raise RecipeError(f"{where}: {error}{expected(str(error), data, kind)}") from error


def override(data: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Apply `key=value` or `table.key=value` arguments to a copy of `data`.

    A value is parsed as TOML; a bare word that is not TOML is a string.

    Raises:
        RecipeError: an argument has no '=', names a table that is a value, or has a value that is nested too deeply.
    """
    result = copy.deepcopy(data)
    for text in assignments:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise RecipeError(f"'{text}': expected key=value, for example svm.c=10")
        *tables, last = key.split(".")
        node = result
        for name in tables:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                found = "a list" if isinstance(node, list) else "a value"
                raise RecipeError(f"'{text}': '{name}' is {found}, not a table; expected all of it, as in {name}=…")
        node[last] = _parse_value(value)
    return result


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"'{text[:40]}…': not a value of a recipe ({error})") from error
