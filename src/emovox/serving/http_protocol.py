"""uvicorn's HTTP, with what it lacks against clients that are slow on purpose."""

from __future__ import annotations

import asyncio

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEADER_SECONDS = 10.0
"""Time for the headers of a request: uvicorn itself waits for ever."""

HEADER_BYTES = 64 * 1024
"""Most that is read of headers and trailers: the parser itself has no limit."""

WAITING_REQUESTS = 8
"""Requests that may wait while one before them is answered: uvicorn takes as many as come, at 2 kB each."""

WRITE_SECONDS = 30.0
"""Time for a client to read what is more than the buffers hold, or the rest of it all once its connection closes."""

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 19\r\n\r\nService Unavailable"
)


class HttpProtocol(HttpToolsProtocol):
    """HTTP that closes a connection whose headers do not come in time or do not end, or whose answers are not read."""

    _headers_due: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _written_due: asyncio.TimerHandle | None = None
    _answered: RequestResponseCycle | None = None  # the request whose answer is being made, or was the last

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered, where uvicorn tells the last that came; let go of everything."""
        self.cycle = self._answered  # type: ignore[assignment]
        super().connection_lost(exc)
        self._release()

    def data_received(self, data: bytes) -> None:
        """Take bytes; a body may begin in the same piece as its headers, so the piece itself does not count.

        What follows a body counts as headers do: the parser holds trailers as well. Between requests uvicorn stops
        waiting at any byte, which need not begin a request.
        """
        if self.timeout_keep_alive_task is not None:
            self._wait()
        if self._header_bytes > HEADER_BYTES:
            self._abort()
            return
        self._header_bytes += len(data)
        super().data_received(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes after the headers is a trailer, which nobody reads."""
        if self._headers_due is not None:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body, whose length is the business of the routes."""
        self._header_bytes = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Close the connection if its request is not complete: nobody reads the rest, which could last for ever."""
        if self not in self.connections:  # the client has left
            return
        unread = not self.pipeline and self.cycle.more_body
        super().on_response_complete()
        if unread:
            self.transport.close()
        if self.transport.is_closing():
            self._write_in_time()

    def on_message_begin(self) -> None:
        """Begin to wait for the headers of the next request; too many at once end the connection.

        All requests of a piece are parsed before any is answered, and only an error stops the parser.
        """
        if len(self.pipeline) >= WAITING_REQUESTS:
            self._abort()
            raise ConnectionAbortedError("too many requests wait")
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """Stop waiting; what follows is the business of the routes."""
        self._came()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on, and let go of everything; an answer that is not complete would write into it."""
        if self._answered is not None and not self._answered.response_complete:
            self._abort()
        elif self._is_full():
            self.transport.write(_FULL)
            self.transport.close()
            self._write_in_time()
        else:
            super().handle_websocket_upgrade()
            self._release()

    def send_400_response(self, msg: str) -> None:
        """Tell that a request is wrong, unless nobody can be told."""
        if not self.transport.is_closing():
            super().send_400_response(msg)
            self._write_in_time()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection, even if the client has not read all."""
        super().timeout_keep_alive_handler()
        self._write_in_time()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._write_in_time()

    def resume_writing(self) -> None:
        """Stop waiting, except for the end."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._written()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _is_full(self) -> bool:
        """Whether WebSockets have half of all connections; uvicorn refuses only HTTP, which has to answer meanwhile."""
        streams = sum(not isinstance(connection, HttpToolsProtocol) for connection in self.connections)
        return self.limit_concurrency is not None and 2 * streams >= self.limit_concurrency

    def _abort(self) -> None:
        """Cut the client off. The request is told at once: it could write before the connection is known as lost."""
        if self._answered is not None:
            self._answered.disconnected = True
        self.transport.abort()

    def _wait(self) -> None:
        self._came()
        self._header_bytes = 0
        self._headers_due = self.loop.call_later(HEADER_SECONDS, self._abort)

    def _came(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _write_in_time(self) -> None:
        if self._written_due is None:
            self._written_due = self.loop.call_later(WRITE_SECONDS, self._abort)

    def _written(self) -> None:
        if self._written_due is not None:
            self._written_due.cancel()
            self._written_due = None

    def _release(self) -> None:
        """Drop what refers back to this: it would all stay until Python searches for cycles."""
        self._came()
        self._written()
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        self.parser = self.cycle = self._answered = None  # type: ignore[assignment]
