"""uvicorn's two protocols, with what they lack against clients that are slow on purpose."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from emovox.serving.streams import ABORT

HEADER_SECONDS = 10.0
"""Time for the headers of a request: uvicorn itself waits for ever."""

HEADER_BYTES = 64 * 1024
"""Most that is read of headers and trailers: the parser itself has no limit."""

SOCKET_BYTES = 64 * 1024
"""Buffer of a stream's socket in each direction. The system would let it grow to megabytes, for a client that sends too
fast or reads too slowly; this is two seconds of 16 kHz."""

WAITING_FRAMES = 4
"""Frames that may wait for their stream before its socket is no longer read. uvicorn stops and starts the reading for
every single one, which costs two system calls each."""


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


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSocket with small socket buffers, which a route can cut off without waiting for the client."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the system buffers."""
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)

    def send_receive_event_to_app(self) -> None:
        """Hand a frame on; reading goes on while few wait."""
        if self.read_paused or self.queue.qsize() >= WAITING_FRAMES:
            super().send_receive_event_to_app()
            return
        self.read_paused = True  # what uvicorn asks before it stops the reading
        super().send_receive_event_to_app()
        self.read_paused = False

    def handle_ping(self) -> None:
        """Answer, unless the client sends pings and reads nothing: the answers would pile up."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.transport.abort()

    def handle_connect(self, event: Any) -> None:
        """Hand the way out to the route, which starts after this."""
        super().handle_connect(event)
        if hasattr(self, "scope"):  # else the handshake was refused
            cast(dict[str, Any], self.scope["extensions"])[ABORT] = self.transport.abort
