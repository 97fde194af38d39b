"""One of many live streams: audio in, events out, scored by the threads of a pipeline."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType

from emovox.audio.types import Samples
from emovox.runtime.channel import ChannelAnalyzer
from emovox.runtime.channel_voice import together
from emovox.runtime.segmenter import SegmenterEvent
from emovox.runtime.stream import checked_rows
from emovox.runtime.tiles import Tile
from emovox.runtime.window_queue import Pending, WindowQueue
from emovox.schema.errors import OverloadError, PipelineError
from emovox.schema.events import EmotionUpdated, Event
from emovox.schema.result import Adapted

PIECE_SECONDS = 1.0
"""Seconds of audio that `feed` takes at a time; before each piece it waits for room."""

MOST_TILES = 4
"""Largest number of tiles of a stream that wait for the model; each takes 0.3 MB."""

MOST_EVENTS = 64
"""Largest number of events that wait to be taken: half a minute of the shortest words."""


class LiveStream:
    """A stream of a `Pipeline`, made by `Pipeline.open`.

    One thread feeds it and one takes its events; they may be the same.

    Args:
        analyzers: one for each channel.
        queue: holds the windows that wait for the model.
        changed: the lock of the queue and of all streams; notified after scores arrive or events are taken.
        sample_rate: sample rate in Hz.
        notify: called when there is something to take, when there is room again, and when the stream is over.
        on_close: called with this stream when it is closed, with the lock held, at least once.
    """

    def __init__(
        self,
        analyzers: Sequence[ChannelAnalyzer],
        *,
        queue: WindowQueue,
        changed: threading.Condition,
        sample_rate: int,
        notify: Callable[[], None],
        on_close: Callable[[LiveStream], None],
    ) -> None:
        self.analyzers = tuple(analyzers)
        self.notify = notify
        self.given_up = 0
        """Number of previews that were dropped under overload, or replaced by a newer one before they were taken."""
        self._piece = round(PIECE_SECONDS * sample_rate)
        self._queue, self._changed, self._on_close = queue, changed, on_close
        self._pending: deque[Pending] = deque()
        self._events: list[Event] = []
        self._error: Exception | None = None
        self._error_taken = False
        self._ended = self._closed = False

    @property
    def has_room(self) -> bool:
        """Return whether `feed` takes samples of up to 1 s without a wait."""
        with self._changed:
            return self._has_room()

    @property
    def is_done(self) -> bool:
        """Return whether all events and errors are taken and no more follow.

        So `while not stream.is_done: stream.wait(); events = stream.take()` gets all events.
        """
        with self._changed:
            return self._is_over() and not self._events and (self._error is None or self._error_taken)

    @property
    def adapted(self) -> Adapted | None:
        """What the next scores of all channels together are adapted to; None: nothing."""
        with self._changed:
            return together(analyzer.adapted for analyzer in self.analyzers)

    def feed(self, samples: Samples, *, timeout: float | None = None) -> None:
        """Take the next audio; wait while the stream has no room.

        Args:
            samples: [n] or [channels, n] float32, as in `Stream.feed`.
            timeout: seconds to wait for room in total; None waits without a limit.

        Raises:
            AudioError: as `Stream.feed`; no samples were taken.
            OverloadError: there is no room within `timeout`; its `taken` is the number of samples taken.
            PipelineError: the stream was ended or closed, or the model failed.
        """
        rows = checked_rows(samples, channels=len(self.analyzers))
        with self._changed:
            self._check_open()
        deadline = None if timeout is None else time.monotonic() + timeout
        for first in range(0, rows.shape[1], self._piece):
            self._wait_for_room(deadline, taken=first)
            piece = rows[:, first : first + self._piece]
            self._add([analyzer.cutter.feed(row) for analyzer, row in zip(self.analyzers, piece, strict=True)])

    def end(self) -> None:
        """End the audio; the last events follow until `is_done`.

        Raises:
            PipelineError: as `feed`.
        """
        with self._changed:
            self._check_open()
        self._add([analyzer.cutter.flush() for analyzer in self.analyzers], ended=True)

    def take(self) -> list[Event]:
        """Return the events since the last call, without a wait; their times are in seconds.

        Raises:
            PipelineError: the model failed on audio of this stream; the events before it were returned.
        """
        with self._changed:
            had_room, error = self._has_room(), self._error
            events, self._events = self._events, []
            if not events and error is not None:
                self._error_taken = True
                raise PipelineError(f"the stream has ended because of an error: {error}") from error
            self._changed.notify_all()
        if not had_room:
            self.notify()
        return events

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there are events or no more follow; return False if `timeout` seconds pass first."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._events) or self._is_over(), timeout)

    def close(self) -> None:
        """Close the stream and discard audio that is not scored yet; present events can still be taken."""
        with self._changed:
            closed, self._closed = self._closed, True
            self._discard_pending()
        if not closed:
            self.notify()

    def fail(self, error: Exception) -> None:
        """Close the stream because of an error, which `take` raises; a stream that is over keeps its state."""
        with self._changed:
            if not self._is_over():
                self._error = error
        self.close()

    def advance(self) -> None:
        """Turn scored windows into events, in order; the caller holds the lock."""
        while self._pending and self._pending[0].is_ready:
            pending = self._pending.popleft()
            if pending.mark is None:
                self.given_up += 1
                continue
            scored = iter(() if pending.scored is None else (pending.scored,))
            for event in pending.analyzer.advance([pending.mark], scored):
                self._emit(event)

    def __enter__(self) -> LiveStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _is_over(self) -> bool:
        return self._closed or (self._ended and not self._pending)

    def _has_room(self) -> bool:
        tiles = sum(isinstance(pending.mark, Tile) for pending in self._pending)
        return tiles < MOST_TILES and len(self._events) < MOST_EVENTS

    def _wait_for_room(self, deadline: float | None, *, taken: int) -> None:
        with self._changed:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._changed.wait_for(lambda: self._has_room() or self._closed, left):
                raise OverloadError(
                    "no room for more audio in time: its events are not taken, or the model cannot keep up; take them, "
                    "or send the audio no faster than it was spoken",
                    taken=taken,
                )
            self._check_open()

    def _check_open(self) -> None:
        if self._closed or self._ended:
            why = "" if self._error is None else f" because of an error: {self._error}"
            raise PipelineError(f"the stream has ended{why}, expected an open one; open another") from self._error

    def _add(self, marks: Sequence[Sequence[SegmenterEvent]], *, ended: bool = False) -> None:
        pending = [Pending(analyzer, mark) for analyzer, row in zip(self.analyzers, marks, strict=True) for mark in row]
        if not pending and not ended:
            return
        with self._changed:
            self._check_open()  # again: another thread may have closed it in the meantime
            self._ended = ended
            for one in pending:
                self._pending.append(one)
                if not one.is_ready:
                    self._queue.put(one)
            self.advance()
            self._changed.notify_all()
        self.notify()

    def _discard_pending(self) -> None:
        for pending in self._pending:
            self._queue.discard(pending)
        self._pending.clear()
        self._on_close(self)
        self._changed.notify_all()

    def _emit(self, event: Event) -> None:
        if isinstance(event, EmotionUpdated):
            latest = next((old for old in reversed(self._events) if old.channel == event.channel), None)
            if isinstance(latest, EmotionUpdated):  # not taken yet: the newer one replaces it
                self._events.remove(latest)
                self._queue.counts.unread += 1
                self.given_up += 1
        self._events.append(event)
