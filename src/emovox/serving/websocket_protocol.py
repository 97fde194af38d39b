"""uvicorn's WebSockets, with what they lack against clients that send too fast or never read."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from emovox.serving.live.streams import ABORT

SOCKET_BYTES = 64 * 1024
"""Buffer of a stream's socket in each direction. The system would let it grow to megabytes, for a client that sends too
fast or reads too slowly; this is two seconds of 16 kHz."""

WAITING_FRAMES = 4
"""Frames that may wait for their stream before its socket is no longer read. uvicorn stops and starts the reading for
every single one, which costs two system calls each."""

FRAMES_PER_SECOND = 200.0
"""Frames of any kind that are parsed of a connection; beyond it the client has to wait. A browser sends up to 50. Each
takes the time of all streams, however little it holds, and those without audio count nowhere else."""

BURST_FRAMES = 400.0
"""Frames that may come at once."""

LEAST_PIECE = 256
"""Bytes that are parsed at least in one go: more frames than are due may be in them, for which the next ones wait."""

SMALLEST_FRAME = 6
"""Bytes of a frame that holds nothing."""

LAST_SECONDS = 15.0
"""Time for a client to take what is still to be sent after its stream has ended; uvicorn itself would wait for ever.
The handshake of closing may take ten seconds of it."""

_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSocket with small buffers and a bounded number of frames a second, which a route can cut off."""

    _cut_off: asyncio.TimerHandle | None = None
    _next: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the system buffers."""
        super().connection_made(transport)
        self._waiting = bytearray()
        self._due, self._counted = BURST_FRAMES, self.loop.time()
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        for timer in (self._cut_off, self._next):
            if timer is not None:
                timer.cancel()
        self._cut_off = self._next = None

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Let the connection last no longer than it takes a client to read the last words of the route."""
        super().on_task_complete(task)
        self._end_soon()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first ones are the whole handshake, as the HTTP protocol hands it over."""
        if self.handshake_initiated:
            self._waiting += data
            if self._next is None:
                self._parse()
            return
        super().data_received(data)
        if not self.handshake_initiated:
            self._refuse()

    def handle_events(self) -> None:
        """Count what was parsed."""
        self._due -= len(self.conn.events)
        super().handle_events()

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

    def _parse(self) -> None:
        """Parse what has come, in pieces that cannot hold many more frames than are due; the rest waits."""
        now = self.loop.time()
        self._due = min(BURST_FRAMES, self._due + (now - self._counted) * FRAMES_PER_SECOND)
        self._counted = now
        while self._waiting and self._due >= 1 and not self.transport.is_closing():
            size = max(LEAST_PIECE, SMALLEST_FRAME * int(self._due))
            piece = bytes(self._waiting[:size])
            del self._waiting[:size]
            super().data_received(piece)
        if self._waiting and not self.transport.is_closing():
            self._wait()

    def _wait(self) -> None:
        """Go on when frames are due. Until then nothing is read, not even if the route asks for more."""
        self.read_paused = False
        self.transport.pause_reading()
        self._next = self.loop.call_later((1 - self._due) / FRAMES_PER_SECOND, self._go_on)

    def _go_on(self) -> None:
        self._next = None
        self._parse()
        if not (self._waiting or self.read_paused):
            self.transport.resume_reading()

    def _refuse(self) -> None:
        """Answer a handshake that is none to the parser: too long, or with a body. uvicorn does not ask for those."""
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()) or _BAD_REQUEST)
        self.transport.close()
        self._end_soon()

    def _end_soon(self) -> None:
        if not self.disconnected:
            self._cut_off = self.loop.call_later(LAST_SECONDS, self.transport.abort)
