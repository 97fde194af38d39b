"""One stream on one WebSocket: a reader task feeds the pipeline, a writer task sends its events."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from emovox.audio.types import Samples
from emovox.runtime.live_stream import LiveStream
from emovox.runtime.pipeline import Pipeline
from emovox.schema.errors import OverloadError
from emovox.schema.events import EmotionUpdated, Event
from emovox.schema.result import ModelInfo
from emovox.serving.errors import ClosingError, IdleError, SlowReaderError, TooLongError
from emovox.serving.live.audio_in import AudioIn
from emovox.serving.live.messages import (
    Reply,
    SessionEnded,
    SessionStart,
    SessionStarted,
    decode_end,
    encode,
    type_of,
)
from emovox.serving.metrics import Metrics
from emovox.serving.settings import ServiceSettings
from emovox.serving.speakers import TaughtSpeaker

BURST_SECONDS = 10.0
"""Seconds of audio that a client may be ahead of real time before `max_speed` counts."""

FRAMES_PER_SECOND, BURST_FRAMES = 200.0, 400
"""Frames that a stream may send per second, and at once; more wait. A browser sends up to 50 a second. Each frame takes
time of all streams, however little audio it has."""

_ARRIVALS = 64
"""Frames whose time of arrival is kept, for the delay of updates."""

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[str], Awaitable[None]]


class Gone(Exception):
    """The client has closed the connection, or it broke."""


class StreamSession:
    """A stream, from `session.started` to `session.ended`.

    Args:
        start: the first message of the client.
        speaker: the speaker that it names; None: none.
        pipeline: opens the stream.
        settings: the limits.
        metrics: counts the events sent and their delay.
        receive: returns the next ASGI message of the socket.
        send: sends a text message; waits while the client reads too slowly.

    Raises:
        EmovoxError: as `Pipeline.open`.
    """

    def __init__(
        self,
        start: SessionStart,
        *,
        speaker: TaughtSpeaker | None = None,
        pipeline: Pipeline,
        settings: ServiceSettings,
        metrics: Metrics,
        receive: Receive,
        send: Send,
    ) -> None:
        self._pipeline, self._settings, self._metrics, self._start = pipeline, settings, metrics, start
        self._receive, self._send, self._speaker = receive, send, speaker
        self._wake, self._room = asyncio.Event(), asyncio.Event()
        card = pipeline.predictor.card
        self._hop = card.hop if start.hop is None else start.hop
        self.stream: LiveStream = pipeline.open(
            channels=start.channels,
            threshold=start.threshold,
            hop=self._hop,
            coverage=start.coverage,
            adapt=start.adapt,
            speaker=None if speaker is None else speaker.profile,
            name="" if speaker is None else speaker.name,
            notify=_setter(self._wake),
        )
        self._input = AudioIn(start, sample_rate=card.sample_rate, hop=self._hop)
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=_ARRIVALS)
        self._task: asyncio.Task[Any] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._stopping: Exception | None = None
        self._pieces: Iterator[Samples] = iter(())
        self._piece: Samples | None = None
        self._flushed = self._ended = False
        self._frames = 0
        self._begun = time.monotonic()
        self._reading_since: float | None = None
        self._sending_since: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds of audio received so far."""
        return self._input.seconds

    async def run(self) -> None:
        """Serve the stream up to its `session.ended`; the stream is closed afterwards, also after an error.

        Raises:
            Gone: the client has left.
            ClosingError: the service is being shut down; the last events and `session.ended` were sent.
            EmovoxError: the stream cannot continue; the caller sends the error to the client.
        """
        self._task = task = asyncio.current_task()
        assert task is not None
        self._writer = asyncio.create_task(self._write())
        self._writer.add_done_callback(self._writer_done)
        try:
            await self._serve()
        except asyncio.CancelledError:
            if self._stopping is None:
                raise
            task.uncancel()
            if isinstance(self._stopping, ClosingError):
                await self._finish()
            raise self._stopping from None
        finally:
            self._task = None
            self._writer.cancel()
            self.stream.close()
            await asyncio.wait([self._writer])
            # an error refers to its frames, and so to this session: without this line there is a cycle
            self._stopping = self._writer = None

    @property
    def speaker(self) -> TaughtSpeaker | None:
        """The speaker that the client has named; None: none."""
        return self._speaker

    def stop(self, error: Exception) -> None:
        """End the session with this error; later errors are ignored."""
        if self._stopping is None and self._task is not None:
            self._stopping = error
            self._task.cancel()

    def check(self) -> None:
        """Stop if a time limit has passed; called every `TICK_SECONDS`."""
        now, limits = time.monotonic(), self._settings
        if self._sending_since is not None and now - self._sending_since > limits.slow_reader_seconds:
            self.stop(
                SlowReaderError(
                    f"got no reading client for {limits.slow_reader_seconds:g} s, expected one that reads its events; "
                    "read them while sending"
                )
            )
        elif self._reading_since is not None and now - self._reading_since > limits.idle_seconds:
            self.stop(
                IdleError(
                    f"got no audio for {limits.idle_seconds:g} s, expected frames or session.end; "
                    "send silence during pauses, or open a stream for each call"
                )
            )
        elif now - self._begun > limits.session_seconds:
            self.stop(
                TooLongError(f"the stream is open for {limits.session_seconds:g} s, which is the longest; open another")
            )

    async def _serve(self) -> None:
        await self._emit(self._started())
        await self._read()
        await self._finish()

    async def _finish(self) -> None:
        assert self._writer is not None
        await self._feed_pieces()
        if not self._flushed:
            self._flushed, self._pieces = True, self._input.flush()
            await self._feed_pieces()
        if not self._ended:
            self._ended = True
            self.stream.end()
        await asyncio.shield(self._writer)
        await self._emit(SessionEnded(round(self.seconds, 3), self.stream.given_up))

    async def _read(self) -> None:
        while True:
            self._reading_since = time.monotonic()
            message = await self._receive()
            self._reading_since = None
            if message["type"] == "websocket.disconnect":
                raise Gone
            frame = message.get("bytes")
            if frame is None:
                decode_end(message["text"])
                return
            self._frames += 1
            self._arrivals.append((self.seconds + 1e-6, time.monotonic()))
            self._pieces = self._input.feed(frame)
            await self._feed_pieces()
            await self._pace()

    async def _feed_pieces(self) -> None:
        """Feed the audio that has come; called again after it was cancelled, it continues at the same piece."""
        piece = self._piece if self._piece is not None else next(self._pieces, None)
        while piece is not None:
            self._piece = piece
            await self._feed_piece(piece)
            self._piece = piece = next(self._pieces, None)
            if piece is not None:
                await asyncio.sleep(0)  # let other streams run

    async def _feed_piece(self, piece: Samples) -> None:
        while True:
            self._room.clear()
            try:
                self.stream.feed(piece, timeout=0)
            except OverloadError:
                await self._room.wait()
            else:
                return

    async def _pace(self) -> None:
        """Delay a client that sends too much: its socket is not read and fills (backpressure)."""
        audio = (self.seconds - BURST_SECONDS) / self._settings.max_speed
        frames = (self._frames - BURST_FRAMES) / FRAMES_PER_SECOND
        ahead = max(audio, frames) - (time.monotonic() - self._begun)
        if ahead > 0:
            await asyncio.sleep(ahead)

    async def _write(self) -> None:
        while not self.stream.is_done:
            await self._wake.wait()
            self._wake.clear()
            while events := self.stream.take():  # until none is left: the last call raises the error of the stream
                for event in events:
                    await self._emit(event)
                    self._measure(event)
            self._room.set()

    async def _emit(self, reply: Reply) -> None:
        self._sending_since = time.monotonic()
        await self._send(encode(reply))
        self._sending_since = None

    def _measure(self, event: Event) -> None:
        self._metrics.events.labels(type_of(event)).inc()
        if isinstance(event, EmotionUpdated):
            while len(self._arrivals) > 1 and self._arrivals[1][0] <= event.end:
                self._arrivals.popleft()
            if self._arrivals:
                self._metrics.update_delay.observe(time.monotonic() - self._arrivals[0][1])

    def _started(self) -> SessionStarted:
        card, start = self._pipeline.predictor.card, self._start
        return SessionStarted(
            model=ModelInfo(card.name, card.version),
            labels=card.labels,
            encoding=start.encoding,
            sample_rate=start.sample_rate,
            channels=start.channels,
            hop=self._hop,
            window=card.window,
            threshold=card.threshold if start.threshold is None else start.threshold,
            adapt=start.adapt,
            speaker=(self._pipeline.predictor.name if self._speaker is None else self._speaker.name) or None,
        )

    def _writer_done(self, writer: asyncio.Task[None]) -> None:
        error = None if writer.cancelled() else writer.exception()
        if isinstance(error, Exception):
            self.stop(error)


def _setter(event: asyncio.Event) -> Callable[[], None]:
    """Return a function that sets an event of this loop from any thread.

    It has no reference to the session: the stream holds this function, so that a session would stay in memory with its
    audio until Python looks for cycles. Under load that is after some hundred streams.
    """
    loop = asyncio.get_running_loop()

    def set_soon() -> None:
        """Set the event in its loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(event.set)

    return set_soon
