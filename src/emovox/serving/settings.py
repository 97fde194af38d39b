"""Settings of the service: one typed structure, whose ranges and descriptions are also the flags and the docs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, inspect

_YEAR = 31_536_000  # as good as for ever, and a time that every clock and timer can take

Port = Annotated[int, Meta(ge=0, le=65535, description="port to listen on; 0 takes a free one")]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings; times in seconds, sizes in the unit of the name."""

    host: Annotated[str, Meta(min_length=1, description="address to listen on")] = "127.0.0.1"
    port: Port = 8000
    model: Annotated[
        str | None, Meta(description="shipped name, or path of a NAME.onnx; the default model if unset")
    ] = None
    workers: Annotated[int, Meta(ge=1, le=256, description="processes, each with its own copy of the model")] = 1
    threads: Annotated[
        int,
        Meta(ge=0, le=256, description="threads a worker that score live audio; 0: its cores but one, at least one"),
    ] = 0
    ssl_cert: Annotated[str | None, Meta(description="certificate chain (PEM): serve https and wss")] = None
    ssl_key: Annotated[str | None, Meta(description="private key of the certificate (PEM)")] = None
    keys: Annotated[
        tuple[Annotated[str, Meta(min_length=16)], ...],
        Meta(description="API keys of 16 characters or more, any of them opens; none: everybody may ask"),
    ] = ()
    key_file: Annotated[str | None, Meta(description="file with more keys, one a line")] = None
    open_metrics: Annotated[bool, Meta(description="/metrics needs no key")] = False
    cors: Annotated[
        tuple[str, ...], Meta(description="origins whose pages may use the service, such as https://example.org")
    ] = ()
    allowed_hosts: Annotated[
        tuple[str, ...],
        Meta(description="host names to answer to, besides localhost; none: all, but on a loopback address no other"),
    ] = ()
    max_upload_mb: Annotated[float, Meta(gt=0, le=1e6, description="largest upload in MB")] = 200.0
    max_seconds: Annotated[float, Meta(gt=0, le=_YEAR, description="longest recording of an upload")] = 14400.0
    answer_seconds: Annotated[float, Meta(gt=0, le=_YEAR, description="longer recordings become a job (202)")] = 300.0
    slowest_upload_kb: Annotated[
        float, Meta(gt=0, le=1e6, description="slowest upload in kB/s, on average after the first 10 s")
    ] = 4.0
    predict_threads: Annotated[
        int, Meta(ge=0, le=256, description="uploads analysed at once a worker; 0: its cores")
    ] = 0
    max_waiting: Annotated[int, Meta(ge=0, description="uploads that may wait besides; more get 503")] = 16
    max_jobs: Annotated[int, Meta(ge=1, description="jobs that may be waiting, running or finished; more get 503")] = 64
    job_seconds: Annotated[float, Meta(gt=0, le=_YEAR, description="how long a finished job can be asked for")] = 3600.0
    max_streams: Annotated[
        int, Meta(ge=0, description="streams open at once a worker; 0: as many as it should carry, measured at start")
    ] = 0
    start_seconds: Annotated[float, Meta(gt=0, le=_YEAR, description="time for the first message of a stream")] = 10.0
    idle_seconds: Annotated[
        float, Meta(gt=0, le=_YEAR, description="a stream without audio for this long is closed")
    ] = 60.0
    session_seconds: Annotated[float, Meta(gt=0, le=_YEAR, description="longest stream")] = 14400.0
    slow_reader_seconds: Annotated[
        float, Meta(gt=0, le=_YEAR, description="a client that reads no events for this long is closed")
    ] = 10.0
    max_speed: Annotated[
        float,
        Meta(
            ge=1, le=1e6, description="audio taken from a stream, in times real time, after a burst of 10 s; more waits"
        ),
    ] = 10.0
    max_frame_kb: Annotated[int, Meta(ge=1, le=65536, description="largest WebSocket message in kB")] = 256
    shortest_hop: Annotated[
        float, Meta(ge=0.02, le=10, description="shortest time between updates that a client may ask for")
    ] = 0.1
    shutdown_seconds: Annotated[
        float, Meta(ge=0, le=_YEAR, description="time for streams in flight to finish at shutdown")
    ] = 20.0
    log: Annotated[Literal["text", "json"], Meta(description="form of the log on standard error")] = "text"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="least level logged")] = "info"


class Field(NamedTuple):
    """A setting as flags and docs show it.

    Attributes:
        name: as in the TOML file.
        kind: its type, without None and without ranges: str, int, float, bool or tuple.
        default: the value without any setting.
        help: one line.
        choices: the values that there are, if they are few.
    """

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...]


def fields() -> Iterator[Field]:
    """Describe every setting, in order.

    >>> next(fields()).name
    'host'
    """
    struct = inspect.type_info(Settings)
    assert isinstance(struct, inspect.StructType)
    for field in struct.fields:
        default = field.default if field.default_factory is UNSET or field.default is not UNSET else None
        help, node = _described(field.type)
        choices = tuple(str(value) for value in node.values) if isinstance(node, inspect.LiteralType) else ()
        yield Field(field.name, _kind(node), default, help, choices)


def _described(node: inspect.Type) -> tuple[str, inspect.Type]:
    schema: dict[str, Any] = {}
    if isinstance(node, inspect.Metadata):
        schema, node = node.extra_json_schema or {}, node.type
    if isinstance(node, inspect.UnionType):
        node = next(part for part in node.types if not isinstance(part, inspect.NoneType))
    return str(schema.get("description", "")), node


def _kind(node: inspect.Type) -> type:
    kinds: dict[type[inspect.Type], type] = {
        inspect.IntType: int,
        inspect.FloatType: float,
        inspect.BoolType: bool,
        inspect.VarTupleType: tuple,
    }
    return kinds.get(type(node), str)
