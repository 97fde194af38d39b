"""Errors of the service: a stable code, an HTTP status, and the WebSocket close code that follows from it."""

from __future__ import annotations

from typing import ClassVar

from emovox.schema.errors import (
    AudioError,
    ConfigError,
    EmovoxError,
    MissingExtraError,
    OverloadError,
    PipelineError,
    UndecodableError,
)

PRIVATE_CODES = 4000
"""WebSocket close codes from here on belong to applications: ours are this plus the HTTP status."""

NORMAL, GOING_AWAY = 1000, 1001

CLOSING = "the service is being shut down; try again in a moment"
"""The message of every `ClosingError`."""


class ServiceError(EmovoxError):
    """A request that the service does not answer; `status` is the HTTP status."""

    code = "service"
    status: ClassVar[int] = 500


class UnauthorisedError(ServiceError):
    """No key, or a wrong one."""

    code = "unauthorised"
    status = 401


class OriginError(ServiceError):
    """A page of another site, which the setting `cors` does not name."""

    code = "forbidden_origin"
    status = 403


class HostError(ServiceError):
    """The request names a host that this service is not: a page may have bent a name of its own to this address."""

    code = "forbidden_host"
    status = 403


class RequestError(ServiceError):
    """The request is malformed: no multipart, no part `file`, a parameter out of range."""

    code = "bad_request"
    status = 400


class MessageError(ServiceError):
    """A WebSocket message that the protocol does not have in this place."""

    code = "bad_message"
    status = 400


class FrameError(ServiceError):
    """A binary frame that holds no whole number of samples of every channel."""

    code = "bad_frame"
    status = 400


class NotFoundError(ServiceError):
    """No such page, or no such job (any more)."""

    code = "not_found"
    status = 404


class MethodError(ServiceError):
    """The route does not have this method."""

    code = "bad_method"
    status = 405


class TooSlowError(ServiceError):
    """An upload or the first message of a stream does not come in time."""

    code = "too_slow"
    status = 408


class IdleError(ServiceError):
    """A stream without audio for too long."""

    code = "idle"
    status = 408


class SlowReaderError(ServiceError):
    """A client that does not read its events."""

    code = "slow_reader"
    status = 408


class TooLargeError(ServiceError):
    """More bytes than a body or a frame may have."""

    code = "too_large"
    status = 413


class TooLongError(ServiceError):
    """More seconds than a recording or a stream may have."""

    code = "too_long"
    status = 413


class BusyError(ServiceError):
    """All places are taken: come back later."""

    code = "busy"
    status = 503


class ClosingError(ServiceError):
    """The service is being shut down; a stream in flight was finished before, unless it had to be quick."""

    code = "shutting_down"
    status = 503


class InternalError(ServiceError):
    """A fault of the service; the log has the details."""

    code = "internal"
    status = 500


class StorageError(ServiceError):
    """The disk of the service is full: a large upload, or the state of a job, finds no room."""

    code = "full"
    status = 507


class CancelledError(ServiceError):
    """Nobody waits for the answer any more."""

    code = "cancelled"
    status = 499


class WorkerLostError(ServiceError):
    """The process that worked on a job is gone."""

    code = "worker_lost"
    status = 500


_STATUSES: tuple[tuple[type[EmovoxError], int], ...] = (
    (UndecodableError, 415),
    (AudioError, 422),
    (ConfigError, 400),
    (MissingExtraError, 501),
    (OverloadError, 503),
    (PipelineError, 500),
)
"""HTTP statuses of the errors of the layers below; of several that fit, the first."""


def status_of(error: EmovoxError | type[EmovoxError]) -> int:
    """Return the HTTP status of an error or of a class of errors.

    >>> status_of(TooLongError), status_of(UndecodableError), status_of(EmovoxError)
    (413, 415, 500)
    """
    kind = error if isinstance(error, type) else type(error)
    if issubclass(kind, ServiceError):
        return kind.status
    return next((status for base, status in _STATUSES if issubclass(kind, base)), 500)


def close_code_of(error: EmovoxError | type[EmovoxError]) -> int:
    """Return the WebSocket close code: 4000 + the HTTP status, but 1001 for a service that goes away.

    >>> close_code_of(UnauthorisedError), close_code_of(ClosingError)
    (4401, 1001)
    """
    kind = error if isinstance(error, type) else type(error)
    return GOING_AWAY if issubclass(kind, ClosingError) else PRIVATE_CODES + status_of(kind)
