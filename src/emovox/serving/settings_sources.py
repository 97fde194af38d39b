"""Where settings come from: flags before environment before a TOML file before the defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from emovox.schema.config import read_toml
from emovox.schema.errors import ConfigError
from emovox.schema.expected import expected
from emovox.serving.settings import Settings, fields

PREFIX = "EMOVOX_SERVE_"
"""EMOVOX_SERVE_PORT=9000 is the setting `port`; lists are separated by commas."""

MASK = "********"

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]+)?")
_DEFAULT_PORT = re.compile(r"http://.*:80|https://.*:443")


class SettingsError(ConfigError):
    """A setting is unknown, of the wrong type or out of range, or two contradict each other."""

    code = "bad_settings"


def resolve_settings(flags: Mapping[str, Any], *, environment: Mapping[str, str], file: Path | None = None) -> Settings:
    """Put the settings together.

    Args:
        flags: what was typed, by name.
        environment: the process's variables; those that begin with `PREFIX` count.
        file: a TOML file with the names of the settings as keys.

    Raises:
        SettingsError: an unknown name, a wrong type, a value out of range; the message says where it came from.
    """
    merged: dict[str, Any] = {}
    if file is not None:
        merged |= _checked(_read(file), where=str(file))
    merged |= _checked(_from(environment), where="environment", strict=False)
    merged |= _checked(dict(flags), where="flags", strict=False)
    settings = _convert(merged, where="settings")
    if (settings.ssl_cert is None) != (settings.ssl_key is None):
        raise SettingsError("got one of ssl_cert and ssl_key, expected both or none; give both files")
    all_keys(settings)
    return settings


def all_keys(settings: Settings) -> tuple[str, ...]:
    """Return the keys, those of `key_file` included.

    Raises:
        SettingsError: the file cannot be read, or a key in it is shorter than 16 characters.
    """
    if settings.key_file is None:
        return settings.keys
    try:
        lines = Path(settings.key_file).read_text(encoding="utf-8").split()
    except (OSError, ValueError) as error:
        raise SettingsError(f"key_file {settings.key_file}: cannot be read ({error}); give a text file") from error
    if not lines or min(map(len, lines)) < 16:
        raise SettingsError(f"key_file {settings.key_file}: expected one key a line, 16 characters or more each")
    return (*settings.keys, *lines)


def shown(settings: Settings) -> dict[str, Any]:
    """Return the settings as data, keys masked."""
    data: dict[str, Any] = msgspec.to_builtins(settings)
    return data | {"keys": [MASK] * len(settings.keys)}


def _read(file: Path) -> dict[str, Any]:
    try:
        return read_toml(file)
    except ConfigError as error:
        raise SettingsError(
            str(error).replace("recipe; expected a .toml file, see the folder recipes/", "file")
        ) from error


def _from(environment: Mapping[str, str]) -> dict[str, Any]:
    given = {name: text for name, text in environment.items() if name.startswith(PREFIX)}
    if not given.get(f"{PREFIX}KEYS", "some").strip(" ,"):
        raise SettingsError(
            f"environment: got an empty {PREFIX}KEYS, expected keys of 16 characters or more; "
            "unset it if everybody may ask"
        )
    lists = {field.name for field in fields() if field.kind is tuple}
    return dict(_parsed(name.removeprefix(PREFIX).lower(), text, lists) for name, text in given.items())


def _parsed(name: str, text: str, lists: set[str]) -> tuple[str, Any]:
    return name, [part.strip() for part in text.split(",") if part.strip()] if name in lists else text


def _checked(data: dict[str, Any], *, where: str, strict: bool = True) -> dict[str, Any]:
    """Check one source by itself, so that the message can name it; returns its values with their types."""
    settings = _convert(data, where=where, strict=strict)
    return {name: getattr(settings, name) for name in data}


def _convert(data: dict[str, Any], *, where: str, strict: bool = True) -> Settings:
    try:
        settings = msgspec.convert(data, Settings, strict=strict)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {error}{expected(str(error), data, Settings)}") from error
    for origin in settings.cors:
        _check_origin(origin, where=where)
    return settings


def _check_origin(text: str, *, where: str) -> None:
    """Check that an `Origin` header can be this; browsers send "null" for files and for pages without an origin."""
    if text in ("*", "null") or (_ORIGIN.fullmatch(text) and not _DEFAULT_PORT.fullmatch(text)):
        return
    raise SettingsError(
        f"{where}: cors has {text[:80]!r}, expected an origin as browsers send it: scheme://host or scheme://host:port,"
        " in small letters, nothing behind it, no default port; give each origin by itself, or *"
    )
