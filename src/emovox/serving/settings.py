"""Settings of the service: one typed model, whose ranges and descriptions also make the flags and the docs.

Flags override the environment, the environment overrides a TOML file, the file overrides the defaults.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict

from emovox.schema.config import read_toml
from emovox.schema.errors import ConfigError

PREFIX = "EMOVOX_SERVE_"
"""Prefix of the environment variables: EMOVOX_SERVE_PORT=9000 sets `port`. Commas separate the items of lists."""

SHORTEST_KEY = 16
"""Least number of characters of an API key: a shorter one can be guessed."""

MASK = "********"
"""Text in place of a key where settings are printed."""

_YEAR = 31_536_000  # the longest time: every clock and timer can take it
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]+)?")
_DEFAULT_PORT = re.compile(r"http://.*:80|https://.*:443")


class SettingsError(ConfigError):
    """A setting is unknown, of the wrong type or out of range, or two contradict each other."""

    code = "bad_settings"


def _split(value: Any) -> Any:
    """Split a text at its commas into a tuple; return other values unchanged."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _origin(text: str) -> str:
    """Return the text if it can be an `Origin` header; browsers send "null" for files and pages without an origin.

    Raises:
        ValueError: no browser sends it.
    """
    if text in ("*", "null") or (_ORIGIN.fullmatch(text) and not _DEFAULT_PORT.fullmatch(text)):
        return text
    raise ValueError(
        "expected an origin as browsers send it: scheme://host or scheme://host:port, in small letters, "
        "without a path or a default port; give each origin as a separate value, or *"
    )


Key = Annotated[str, StringConstraints(min_length=SHORTEST_KEY)]
Keys = Annotated[tuple[Key, ...], NoDecode, BeforeValidator(_split)]
Origins = Annotated[tuple[Annotated[str, BeforeValidator(_origin)], ...], NoDecode, BeforeValidator(_split)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Seconds = Annotated[float, Field(gt=0, le=_YEAR)]


class ServiceSettings(BaseSettings):
    """All settings. Times are in seconds, sizes in the unit of the name; each description is the help of the flag."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    model: str | None = Field(
        default=None, description="shipped name, or path of a NAME.onnx; the default model if unset"
    )
    models: Names = Field(
        default=(),
        description="shipped models that uploads may ask for, besides MODEL; none: all if MODEL is a shipped one",
    )
    head: str | None = Field(
        default=None, description="another head for the model: permissive, for accurate, learnt from EMO-DB alone"
    )
    speaker: str | None = Field(
        default=None, description="adapt the default model to a speaker that emovox speaker learn has learnt"
    )
    source: str | None = Field(
        default=None, description="start from a room or a line, learnt by emovox speaker learn from others there"
    )
    learn: bool = Field(default=False, description="callers may teach speakers, which are kept for their key")
    speakers: str | None = Field(
        default=None, description="folder of these speakers; unless set, service in that of emovox speaker"
    )
    max_speakers: int = Field(default=100, ge=1, le=100_000, description="speakers that each key may have")
    workers: int = Field(default=1, ge=1, le=256, description="processes, each with its own copy of the model")
    threads: int = Field(
        default=0,
        ge=0,
        le=256,
        description="threads per worker that score live audio; 0: its cores but one, at least one",
    )
    ssl_cert: str | None = Field(default=None, description="certificate chain (PEM): serve https and wss")
    ssl_key: str | None = Field(default=None, description="private key of the certificate (PEM)")
    keys: Keys = Field(
        default=(), description="API keys of 16 characters or more, any of them gives access; none: everyone has access"
    )
    key_file: str | None = Field(default=None, description="file with more keys, one per line")
    open_metrics: bool = Field(default=False, description="/metrics needs no key")
    cors: Origins = Field(
        default=(), description="origins whose pages may use the service, such as https://example.org"
    )
    allowed_hosts: Names = Field(
        default=(),
        description="host names to answer to, besides localhost; none: all, but on a loopback address no other",
    )
    max_upload_mb: float = Field(default=200.0, gt=0, le=1e6, description="largest upload in MB")
    max_seconds: Seconds = Field(default=14400.0, description="longest recording of an upload")
    answer_seconds: Seconds = Field(default=300.0, description="longer recordings become a job (202)")
    slowest_upload_kb: float = Field(
        default=4.0, gt=0, le=1e6, description="slowest upload in kB/s, on average after the first 10 s"
    )
    predict_threads: int = Field(
        default=0, ge=0, le=256, description="uploads each worker analyses at once; 0: its cores"
    )
    max_waiting: int = Field(default=16, ge=0, description="further uploads that may wait; more get 503")
    max_jobs: int = Field(default=64, ge=1, description="jobs that may be waiting, running or finished; more get 503")
    job_seconds: Seconds = Field(default=3600.0, description="how long a finished job is kept")
    max_streams: int = Field(
        default=0, ge=0, description="streams open at once per worker; 0: as many as it can carry, measured at start"
    )
    start_seconds: Seconds = Field(default=10.0, description="time for the first message of a stream")
    idle_seconds: Seconds = Field(default=60.0, description="a stream without audio for this long is closed")
    session_seconds: Seconds = Field(default=14400.0, description="longest stream")
    slow_reader_seconds: Seconds = Field(
        default=10.0, description="a client that reads no events for this long is closed"
    )
    max_speed: float = Field(
        default=10.0,
        ge=1,
        le=1e6,
        description="audio taken from a stream, in times real time, after a burst of 10 s; more waits",
    )
    max_frame_kb: int = Field(default=256, ge=1, le=65536, description="largest WebSocket message in kB")
    shortest_hop: float = Field(
        default=0.1, ge=0.02, le=10, description="shortest time between updates that a client may ask for"
    )
    shutdown_seconds: float = Field(
        default=20.0, ge=0, le=_YEAR, description="time for streams and uploads in flight to finish at shutdown"
    )
    log: Literal["text", "json"] = Field(default="text", description="form of the log on standard error")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="lowest level logged")


class Setting(NamedTuple):
    """One setting, as flags and docs show it.

    Attributes:
        name: the key in the TOML file.
        kind: its type, without None and without ranges: str, int, float, bool or tuple.
        default: the value if nothing sets it.
        help: one line.
        choices: the allowed values of a `Literal`; otherwise empty.
    """

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...]


def settings_list() -> Iterator[Setting]:
    """Yield every setting, in the order of `ServiceSettings`.

    >>> next(settings_list()).name
    'host'
    """
    for name, field in ServiceSettings.model_fields.items():
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        yield Setting(name, _kind(field.annotation), field.default, field.description or "", choices)


def resolve_settings(flags: Mapping[str, Any], *, file: Path | None = None) -> ServiceSettings:
    """Return the settings in force.

    Args:
        flags: values of the command line, by name of the setting.
        file: a TOML file with the names of the settings as keys.

    Raises:
        SettingsError: an unknown name, a wrong type, a value out of range; the message names the source.
    """
    sources = {str(file): _from_file(file), "environment": _from_environment(), "flags": flags}
    try:
        settings = ServiceSettings(**{name: value for source in sources.values() for name, value in source.items()})
    except ValidationError as error:
        raise SettingsError(_describe(error, sources)) from error
    if (settings.ssl_cert is None) != (settings.ssl_key is None):
        raise SettingsError("got one of ssl_cert and ssl_key, expected both or none; give both files")
    all_keys(settings)
    return settings


def all_keys(settings: ServiceSettings) -> tuple[str, ...]:
    """Return all API keys, those of `key_file` included.

    Raises:
        SettingsError: the file cannot be read, or a key in it is too short.
    """
    if settings.key_file is None:
        return settings.keys
    try:
        lines = Path(settings.key_file).read_text(encoding="utf-8").split()
    except (OSError, ValueError) as error:
        raise SettingsError(f"key_file {settings.key_file}: cannot be read ({error}); give a text file") from error
    if not lines or min(map(len, lines)) < SHORTEST_KEY:
        raise SettingsError(
            f"key_file {settings.key_file}: expected one key a line, {SHORTEST_KEY} characters or more each"
        )
    return (*settings.keys, *lines)


def masked(settings: ServiceSettings) -> dict[str, Any]:
    """Return the settings as data; `MASK` replaces each key."""
    return settings.model_dump() | {"keys": [MASK] * len(settings.keys)}


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        data = read_toml(file)
    except ConfigError as error:
        raise SettingsError(
            str(error).replace("recipe; expected a .toml file, see the folder recipes/", "file")
        ) from error
    kinds = {setting.name: setting.kind for setting in settings_list()}
    for name, value in data.items():  # TOML has types: a number in quotes is a mistake there, but not in a variable
        if isinstance(value, str) and kinds.get(name, str) is not str:
            raise SettingsError(f"{file}: {name}: got the text {value!r}, expected {kinds[name].__name__}")
    return data


def _from_environment() -> dict[str, Any]:
    given = {name for name in os.environ if name.startswith(PREFIX)}
    if not _split(os.environ.get(f"{PREFIX}KEYS", "some")):
        raise SettingsError(
            f"environment: got an empty {PREFIX}KEYS, expected keys of {SHORTEST_KEY} characters or more; "
            "unset it to give everyone access"
        )
    unknown = {name.removeprefix(PREFIX).lower(): "" for name in given}
    return unknown | EnvSettingsSource(ServiceSettings)()


def _describe(error: ValidationError, sources: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a message about the first problem: its source, what was got and what was expected."""
    first = error.errors()[0]
    name, value = str(first["loc"][0]), first["input"]
    where = next(source for source, values in reversed(list(sources.items())) if name in values)
    if first["type"] == "extra_forbidden":
        return f"{where}: got an unknown setting {name}, expected one of {', '.join(ServiceSettings.model_fields)}"
    got = "a key that is too short" if name == "keys" else repr(value)[:80]  # a key is never shown
    problem = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{where}: {name}: got {got}, {problem[0].lower()}{problem[1:]}"


def _kind(annotation: Any) -> type:
    if get_origin(annotation) is UnionType:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is tuple:
        return tuple
    return annotation if isinstance(annotation, type) else str
