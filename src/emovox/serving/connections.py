"""Connections of the service: their limit, a reserve for `/healthz`, and an end for those that send no request."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import time
from typing import Any, ClassVar

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from emovox.serving.errors import BusyError
from emovox.serving.responses import error_response

RESERVE = 32
"""Connections above the limit, on which only `/healthz` is answered."""

HEAD_SECONDS = 10.0
"""Seconds for the line and the headers of a request; a client that needs longer is cut off."""

WARN_SECONDS = 60.0
"""Least seconds between two warnings that the connections are at their limit."""

SPARE_FILES = 128
"""Open files of the service besides connections: model, libraries, uploads, jobs."""

MOST_FILES = 65_536
"""Open files that the service asks the system for, at most."""

_FEWEST = 8  # connections, however few files may be open

log = logging.getLogger("emovox.serving")
_numbers = itertools.count()


class Connection(H11Protocol):
    """A connection by HTTP.

    At the limit a new connection replaces the oldest that has no request in progress. Where all are at work, requests
    get 503 `busy`, except `/healthz`: an overloaded service is alive.
    """

    _warned: ClassVar[float] = -WARN_SECONDS

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._most, self.limit_concurrency = self.limit_concurrency, None  # uvicorn would refuse `/healthz`, too
        self._app, self.app = self.app, self._answer
        self._number = next(_numbers)
        self._late: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """True if no request is in progress."""
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # None at first

    @property
    def is_full(self) -> bool:
        """True if more connections are open than the limit allows."""
        return self._most is not None and len(self.connections) > self._most

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close one where too many are open."""
        super().connection_made(transport)
        self._watch()
        if not self.is_full:
            return
        self._warn()
        idle = [one for one in self.connections if isinstance(one, Connection) and one.is_idle and one is not self]
        if idle:
            min(idle, key=lambda one: one._number).leave()
        elif self._most is not None and len(self.connections) > self._most + RESERVE:
            self.leave()

    def data_received(self, data: bytes) -> None:
        """Read requests; the time for the headers begins with their first byte."""
        super().data_received(data)
        self._watch()

    def leave(self) -> None:
        """Close the connection at once."""
        self.connections.discard(self)
        self.transport.abort()

    def _warn(self) -> None:
        now = time.monotonic()
        if now - Connection._warned >= WARN_SECONDS:
            Connection._warned = now
            log.warning("connections are at their limit", extra={"limit": self._most})

    def _watch(self) -> None:
        if not self.is_idle and self._late is not None:
            self._late.cancel()
            self._late = None
        elif self.is_idle and self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._end_late)

    def _end_late(self) -> None:
        self._late = None
        if self.is_idle and self in self.connections:  # a WebSocket has another protocol by now
            self.leave()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.is_full and scope["path"] != "/healthz":
            error = BusyError(
                f"{len(self.connections)} connections are open, which is the limit; try again in a moment"
            )
            await error_response(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def most_connections(wanted: int) -> int:
    """Return how many connections may be open: `wanted`, or fewer where the system allows too few open files."""
    files = _open_files()
    most = max(_FEWEST, min(wanted, files - SPARE_FILES - RESERVE))
    if most < wanted:
        log.warning(
            "few files may be open, so fewer connections are taken; raise `ulimit -n`",
            extra={"files": files, "connections": most, "wanted": wanted},
        )
    return most


def _open_files() -> int:
    """Raise the soft limit of open files as far as the system allows, and return it."""
    if sys.platform == "win32":
        return MOST_FILES
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft
