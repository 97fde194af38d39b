"""Errors of the service. Each has a stable code and an HTTP status; the close code follows from the status."""

from __future__ import annotations

from typing import ClassVar

from emovox.schema.errors import (
    AdaptError,
    AudioError,
    ConfigError,
    EmovoxError,
    MissingExtraError,
    NoSetsError,
    OverloadError,
    PipelineError,
    SpeakerError,
    TranscriptError,
    UndecodableError,
    UnknownSpeakerError,
)

PRIVATE_CODES = 4000
"""First WebSocket close code for applications; the service closes with this plus the HTTP status."""

NORMAL, GOING_AWAY = 1000, 1001
"""WebSocket close codes of RFC 6455: the client ended the stream; the service ends."""

CLOSING = "the service is being shut down; try again in a moment"
"""Message of every `ClosingError`."""


class ServiceError(EmovoxError):
    """A request that the service refuses or cannot answer; `status` is the HTTP status."""

    code = "service"
    status: ClassVar[int] = 500


class UnauthorisedError(ServiceError):
    """The request has no key, or a wrong one."""

    code = "unauthorised"
    status = 401


class OriginError(ServiceError):
    """The request comes from a page of an origin that the setting `cors` does not name."""

    code = "forbidden_origin"
    status = 403


class HostError(ServiceError):
    """The request names a host that the service does not allow; it may be DNS rebinding by a foreign page."""

    code = "forbidden_host"
    status = 403


class RequestError(ServiceError):
    """The request is malformed: no multipart, no part `file`, a parameter out of range."""

    code = "bad_request"
    status = 400


class MessageError(ServiceError):
    """The protocol does not allow this WebSocket message at this point."""

    code = "bad_message"
    status = 400


class FrameError(ServiceError):
    """A binary frame has no sample, or no whole number of samples of every channel."""

    code = "bad_frame"
    status = 400


class LearningOffError(ServiceError):
    """The service keeps no speakers: the setting `learn` is off."""

    code = "learning_off"
    status = 403


class TooManySpeakersError(ServiceError):
    """The API key has as many speakers as the setting `max_speakers` allows."""

    code = "too_many_speakers"
    status = 409


class NotFoundError(ServiceError):
    """The page or the job does not exist, or no longer."""

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
    """A stream has sent no audio for too long."""

    code = "idle"
    status = 408


class SlowReaderError(ServiceError):
    """A client does not read its events."""

    code = "slow_reader"
    status = 408


class TooLargeError(ServiceError):
    """A body or a frame has more bytes than allowed."""

    code = "too_large"
    status = 413


class TooLongError(ServiceError):
    """A recording or a stream is longer than allowed."""

    code = "too_long"
    status = 413


class BusyError(ServiceError):
    """All places are taken; a later try may succeed."""

    code = "busy"
    status = 503


class ClosingError(ServiceError):
    """The service is being shut down. A stream in flight was finished first, except at a forced exit."""

    code = "shutting_down"
    status = 503


class NoModalityError(ServiceError):
    """The service lacks the networks for a modality besides the voice."""

    code = "no_modality"
    status = 501


class InternalError(ServiceError):
    """The service has a fault; the log has the details."""

    code = "internal"
    status = 500


class StorageError(ServiceError):
    """The disk of the service is full: a large upload, the state of a job or a profile cannot be written."""

    code = "full"
    status = 507


class CancelledError(ServiceError):
    """The client no longer waits for the answer."""

    code = "cancelled"
    status = 499


class WorkerLostError(ServiceError):
    """The process that worked on a job has ended."""

    code = "worker_lost"
    status = 500


_STATUSES: tuple[tuple[type[EmovoxError], int], ...] = (
    (UndecodableError, 415),
    (AudioError, 422),
    (ConfigError, 400),
    (MissingExtraError, 501),
    (AdaptError, 501),
    (NoSetsError, 501),
    (UnknownSpeakerError, 404),
    (SpeakerError, 422),
    (TranscriptError, 422),
    (OverloadError, 503),
    (PipelineError, 500),
)
"""HTTP statuses of errors from lower layers; the first class that fits counts."""


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
    """Return the WebSocket close code: 4000 + the HTTP status, but 1001 when the service ends.

    >>> close_code_of(UnauthorisedError), close_code_of(ClosingError)
    (4401, 1001)
    """
    kind = error if isinstance(error, type) else type(error)
    return GOING_AWAY if issubclass(kind, ClosingError) else PRIVATE_CODES + status_of(kind)
