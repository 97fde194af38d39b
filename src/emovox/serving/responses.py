"""JSON answers, for results and errors."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from emovox.schema.errors import EmovoxError
from emovox.serving.errors import InternalError, status_of

RETRY_SECONDS = 5
"""Seconds in `Retry-After`, after which a client may try again: about as long as an upload keeps its place."""

_CLOSING_STATUSES = (400, 401, 403, 408, 413, 503, 507)
"""Statuses after which a body may be unread, so that the connection cannot be used again."""


def json_response(data: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer with `data` as JSON."""
    return Response(msgspec.json.encode(data), status, headers, media_type="application/json")


def error_response(error: EmovoxError) -> Response:
    """Return the answer to an error; after one that leaves a body unread the connection is closed."""
    status = status_of(error)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in (503, 507):
        headers["Retry-After"] = str(RETRY_SECONDS)
    if status in _CLOSING_STATUSES:
        headers["Connection"] = "close"
    return json_response({"error": {"code": error.code, "message": str(error)}}, status=status, headers=headers)


def internal_error() -> Response:
    """Return the answer to a fault of the service: 500 `internal`."""
    return error_response(InternalError("the service has a fault; its log has the details, try again"))
