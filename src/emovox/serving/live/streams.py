"""The WebSocket `/v1/stream`: admission, number and end of streams."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Sequence
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from emovox.runtime.pipeline import Pipeline
from emovox.schema.errors import EmovoxError, UnknownSpeakerError
from emovox.serving.errors import (
    CLOSING,
    NORMAL,
    BusyError,
    ClosingError,
    InternalError,
    MessageError,
    OriginError,
    RequestError,
    TooSlowError,
    close_code_of,
)
from emovox.serving.keys import KeyRing, check_origin, key_in
from emovox.serving.live.messages import ErrorMessage, SessionStart, decode_start, encode
from emovox.serving.live.session import Gone, StreamSession
from emovox.serving.metrics import Metrics
from emovox.serving.responses import error_response
from emovox.serving.settings import ServiceSettings
from emovox.serving.speakers import TaughtSpeakers

TICK_SECONDS = 0.5
"""Seconds between two checks of the time limits."""

LAST_WORD_SECONDS = 1.0
"""Seconds for each of the last messages: a client that does not read misses them. The stream has ended by then; its
connection lasts until the client or the proxy closes it."""

SPARE_CONNECTIONS = 128
"""WebSockets besides `max_streams` that may be open, before their first message or after their last; more get 503."""

_LONGEST_REASON = 120  # bytes; a close frame holds 123

log = logging.getLogger("emovox.serving")


class Streams:
    """All streams of a worker; `len` is the number of open ones.

    Args:
        pipeline: scores the streams.
        settings: the limits; `max_streams` above 0.
        keys: the keys that may open a stream.
        speakers: those that a stream may name.
        metrics: the counters.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        settings: ServiceSettings,
        keys: KeyRing,
        speakers: TaughtSpeakers,
        metrics: Metrics,
    ) -> None:
        self._pipeline, self._settings, self._keys, self._metrics = pipeline, settings, keys, metrics
        self._speakers = speakers
        self._sessions: set[StreamSession] = set()
        self._connections = 0
        self._closing = False

    def __len__(self) -> int:
        return len(self._sessions)

    async def watch(self) -> None:
        """Check the time limits and copy the pipeline's counts, again and again until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._check()
            await self._check_speakers()
            self._metrics.follow(self._pipeline.counts)

    def stop(self) -> None:
        """Refuse new streams, and let those in flight send their last events."""
        self._closing = True
        for session in tuple(self._sessions):
            session.stop(ClosingError(CLOSING))

    async def handle(self, websocket: WebSocket) -> None:
        """Serve one connection, from the handshake to the close frame."""
        try:
            check_origin(websocket.headers, allowed=self._settings.cors)
        except OriginError:
            await websocket.close()  # before accept: the handshake is answered with 403
            self._metrics.streams_closed.labels(OriginError.code).inc()
            return
        if self._connections >= self._settings.max_streams + SPARE_CONNECTIONS:
            await websocket.send_denial_response(error_response(self._busy()))
            self._metrics.streams_closed.labels(BusyError.code).inc()
            return
        self._connections += 1
        try:
            await self._run(websocket)
        finally:
            self._connections -= 1

    async def _run(self, websocket: WebSocket) -> None:
        await websocket.accept()
        connection = _Connection(websocket)
        code = "none"
        try:
            await self._serve(connection)
            await connection.close(NORMAL)
        except (Gone, WebSocketDisconnect):
            code = "gone"
        except EmovoxError as error:
            code = error.code
            await connection.fail(error)
        except Exception:
            code = InternalError.code
            log.exception("stream failed")
            await connection.fail(InternalError("the service has a fault; its log has the details, try again"))
        finally:
            self._metrics.streams_closed.labels(code).inc()
            log.info("stream closed", extra={"code": code, "seconds": round(connection.seconds, 1)})

    async def _serve(self, connection: _Connection) -> None:
        start = await self._first_message(connection)
        key = start.key if start.key is not None else key_in(connection.websocket.headers)
        self._keys.check(key)
        speaker = None
        if start.speaker is not None:
            speaker = await asyncio.to_thread(self._speakers.load, key, start.speaker)
        self._admit(start)
        session = StreamSession(
            start,
            speaker=speaker,
            pipeline=self._pipeline,
            settings=self._settings,
            metrics=self._metrics,
            receive=connection.websocket.receive,
            send=connection.send,
        )
        self._sessions.add(session)
        self._metrics.streams.set(len(self._sessions))
        try:
            await session.run()
        finally:
            self._sessions.discard(session)
            self._metrics.streams.set(len(self._sessions))
            connection.seconds = session.seconds
            self._metrics.audio_seconds.labels("stream").inc(session.seconds)

    def _check(self) -> None:
        for session in tuple(self._sessions):
            session.check()

    async def _check_speakers(self) -> None:
        """Stop the streams whose speaker was deleted, here or by another worker."""
        named = [session for session in self._sessions if session.speaker is not None]
        for session, error in zip(named, await asyncio.to_thread(_deletions, named), strict=True):
            if error is not None:
                session.stop(error)

    async def _first_message(self, connection: _Connection) -> SessionStart:
        try:
            async with asyncio.timeout(self._settings.start_seconds):
                message = await connection.websocket.receive()
        except TimeoutError:
            raise TooSlowError(
                f"got no message for {self._settings.start_seconds:g} s, expected a session.start; send it at once"
            ) from None
        if message["type"] == "websocket.disconnect":
            raise Gone
        if message.get("text") is None:
            raise MessageError("got a binary frame, expected a session.start first; send it as text")
        return decode_start(message["text"])

    def _admit(self, start: SessionStart) -> None:
        if start.hop is not None and start.hop < self._settings.shortest_hop:
            raise RequestError(f"hop is {start.hop} s, expected at least {self._settings.shortest_hop:g}; ask for more")
        if self._closing:
            raise ClosingError(CLOSING)
        if len(self._sessions) >= self._settings.max_streams:
            raise self._busy()

    def _busy(self) -> BusyError:
        return BusyError(
            f"{len(self._sessions)} streams are open, which is the limit; try again later, or raise max_streams"
        )


def _deletions(sessions: Sequence[StreamSession]) -> list[UnknownSpeakerError | None]:
    """Return for each session the error of its speaker, which was deleted, or None."""
    found: list[UnknownSpeakerError | None] = []
    for session in sessions:
        try:
            if session.speaker is not None:
                session.speaker.check()
            found.append(None)
        except UnknownSpeakerError as error:
            found.append(error)
    return found


class _Connection:
    """A WebSocket whose client may not read: the last messages are sent with a time limit."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.seconds = 0.0

    async def send(self, text: str) -> None:
        """Send a message; raise `Gone` if the client has left."""
        try:
            await self.websocket.send({"type": "websocket.send", "text": text})
        except (WebSocketDisconnect, RuntimeError) as error:  # RuntimeError: the socket is closed
            raise Gone from error

    async def fail(self, error: EmovoxError) -> None:
        """Send the error, and close."""
        await self._send_last(self.send(encode(ErrorMessage(error.code, str(error)))))
        await self.close(close_code_of(error), error.code)

    async def close(self, code: int, reason: str = "") -> None:
        """Close the socket with a code and a reason."""
        await self._send_last(self.websocket.close(code, reason[:_LONGEST_REASON]))

    async def _send_last(self, message: Awaitable[Any]) -> None:
        with contextlib.suppress(Gone, WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(LAST_WORD_SECONDS):
                await message
