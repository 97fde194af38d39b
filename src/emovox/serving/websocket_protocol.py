"""uvicorn's WebSockets, with what they lack against clients that send too fast or never read."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from emovox.serving.streams import ABORT

SOCKET_BYTES = 64 * 1024
"""Buffer of a stream's socket in each direction. The system would let it grow to megabytes, for a client that sends too
fast or reads too slowly; this is two seconds of 16 kHz."""

WAITING_FRAMES = 4
"""Frames that may wait for their stream before its socket is no longer read. uvicorn stops and starts the reading for
every single one, which costs two system calls each."""

LAST_SECONDS = 15.0
"""Time for a client to take what is still to be sent after its stream has ended; uvicorn itself would wait for ever.
The handshake of closing may take ten seconds of it."""

_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSocket with small socket buffers, which a route can cut off without waiting for the client."""

    _cut_off: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the system buffers."""
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        if self._cut_off is not None:
            self._cut_off.cancel()
            self._cut_off = None

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Let the connection last no longer than it takes a client to read the last words of the route."""
        super().on_task_complete(task)
        self._end_soon()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first ones are the whole handshake, as the HTTP protocol hands it over."""
        super().data_received(data)
        if not self.handshake_initiated:
            self._refuse()

    def shutdown(self) -> None:
        """Close the connection, in whatever state it is: if one failed here, the others would not be closed."""
        if self.close_sent or (self.handshake_complete and self.conn.state is State.OPEN):
            super().shutdown()
        else:
            self.transport.abort()

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
        if hasattr(self, "scope"):
            cast(dict[str, Any], self.scope["extensions"])[ABORT] = self.transport.abort
        else:  # the handshake was refused
            self._end_soon()

    def _refuse(self) -> None:
        """Answer a handshake that is none to the parser: too long, or with a body. uvicorn does not ask for those."""
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()) or _BAD_REQUEST)
        self.transport.close()
        self._end_soon()

    def _end_soon(self) -> None:
        if not self.disconnected:
            self._cut_off = self.loop.call_later(LAST_SECONDS, self.transport.abort)
