"""uvicorn's HTTP, with what it lacks against clients that are slow on purpose."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
"""Time for the headers of a request: uvicorn itself waits for ever."""

HEADER_BYTES = 64 * 1024
"""Most that is read of headers and trailers: the parser itself has no limit."""


class HttpProtocol(HttpToolsProtocol):
    """HTTP that closes a connection whose headers do not come in time, or do not end."""

    _headers_due: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a body may begin in the same piece as its headers, so the piece itself does not count.

        What follows a body counts as headers do: the parser holds trailers as well.
        """
        if self._header_bytes > HEADER_BYTES:
            self.transport.abort()
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
        unread = not self.pipeline and self.cycle.more_body
        super().on_response_complete()
        if unread:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to wait for the headers of the next request."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """Stop waiting; what follows is the business of the routes."""
        self._came()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._came()
        self._header_bytes = 0
        self._headers_due = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _came(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None
