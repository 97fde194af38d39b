"""Many live streams over one model, with bounded queues and a rule for overload."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from emovox.audio.types import Samples
from emovox.runtime.batching import Scorer
from emovox.runtime.channel import ChannelAnalyzer, live_analyzers
from emovox.runtime.live_stream import LiveStream
from emovox.runtime.predictor import Predictor
from emovox.runtime.profile import Profile
from emovox.runtime.window_queue import Pending, WindowQueue
from emovox.schema.errors import ConfigError, PipelineError

LARGEST_BATCH = 4
"""Windows a run: four cost 15 to 35 % less than one by one, eight hardly less than four, and each waits for all."""

PREVIEWS_WAITING = 256
"""Previews that may wait over all streams, 192 kB each."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a pipeline has done since it was made, and what waits now.

    `merged` previews gave way to a newer one of the same channel while they waited for the model, `dropped` ones found
    the queue full, `unread` ones gave way because nobody had taken them.
    """

    streams: int
    waiting: int
    tiles: int
    previews: int
    merged: int
    dropped: int
    unread: int
    batches: int


class Pipeline:
    """Score the windows of many streams in a few threads; no stream has a thread of its own.

    Stages, each with a bounded queue to the next: the caller's audio → `LiveStream.feed` finds speech and windows, in
    the caller's thread → the windows wait for a model thread, which takes several of one length at once, the oldest
    first → their events wait for `LiveStream.take`.

    Under overload previews give way, tiles and the bounds of speech never do: a preview that still waits, for the model
    or to be taken, is replaced by the next one of its channel (by one of its length in its turn); beyond 256 over all
    streams new ones are dropped; all is counted. A stream whose tiles or events pile up takes no more audio
    (`has_room`), which is how a source that is too fast, or a reader that is too slow, comes to feel it. So memory is
    bounded.

    Args:
        predictor: the model; shared.
        threads: model threads, >= 1: as many as cores may be busy.

    Raises:
        ConfigError: `threads` below 1.
    """

    def __init__(self, predictor: Predictor, *, threads: int = 1) -> None:
        if threads < 1:
            raise ConfigError(f"threads is {threads}, expected at least 1")
        self.predictor = predictor
        self._model: Scorer = predictor.model
        self._changed = threading.Condition()
        self._queue = WindowQueue(most_previews=PREVIEWS_WAITING)
        self._owners: dict[ChannelAnalyzer, LiveStream] = {}
        self._batches = 0
        self._closed = False
        self._threads = [threading.Thread(target=self._work, name="emovox-model", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def open(
        self,
        *,
        channels: int | Sequence[int] = 1,
        threshold: float | None = None,
        hop: float | None = None,
        profile: Profile | None = None,
        notify: Callable[[], None] = lambda: None,
    ) -> LiveStream:
        """Open a stream.

        Args:
            channels: as in `Predictor.stream`.
            threshold: as in `Predictor.stream`.
            hop: as in `Predictor.stream`.
            profile: as in `Predictor.stream`; windows of streams with different profiles share a batch.
            notify: called when something can be taken, there is room again, or the stream is over, by whatever thread
                made it so, a model thread as a rule; must return at once.

        Raises:
            PipelineError: the pipeline is closed.
            EmovoxError: as `Predictor.stream`.
        """
        analyzers = live_analyzers(
            self.predictor.card, channels=channels, threshold=threshold, hop=hop, profile=profile
        )
        stream = LiveStream(
            analyzers,
            queue=self._queue,
            changed=self._changed,
            sample_rate=self.predictor.card.sample_rate,
            notify=notify,
            on_close=self._remove,
        )
        with self._changed:
            if self._closed:
                raise PipelineError("the pipeline is closed, expected an open one; make another")
            self._owners.update(dict.fromkeys(analyzers, stream))
        return stream

    @property
    def counts(self) -> Counts:
        """What was done so far."""
        with self._changed:
            done = self._queue.counts
            return Counts(
                streams=len(set(self._owners.values())),
                waiting=len(self._queue),
                tiles=done.tiles,
                previews=done.previews,
                merged=done.merged,
                dropped=done.dropped,
                unread=done.unread,
                batches=self._batches,
            )

    def close(self) -> None:
        """End the threads and close every stream; what was not scored is given up. `LiveStream.end` them before."""
        with self._changed:
            self._closed = True
            streams = set(self._owners.values())
            self._changed.notify_all()
        for stream in streams:
            stream.close()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        while self._work_on_batch():
            pass

    def _work_on_batch(self) -> bool:
        """Score what waits, and keep nothing of it: a thread may wait for hours until somebody else speaks."""
        batch = self._next_batch()
        try:
            if batch:
                windows = np.stack([pending.window for pending in batch])
                self._deliver(batch, self._model.run(windows, [one.analyzer.profile for one in batch]).scores)
        except Exception as error:  # of whatever kind: these streams fail, the others and the thread go on
            self._fail(batch, error)
        return bool(batch)

    def _next_batch(self) -> list[Pending]:
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) or self._closed)
            batch = [] if self._closed else self._queue.take(LARGEST_BATCH)
            self._batches += bool(batch)
            return batch

    def _deliver(self, batch: Sequence[Pending], scores: Samples) -> None:
        with self._changed:
            for pending, row in zip(batch, scores, strict=True):
                pending.scores = row
            streams = self._owners_of(batch)
            for stream in streams:
                stream.advance()
            self._changed.notify_all()
        for stream in streams:
            self._notify(stream)

    def _notify(self, stream: LiveStream) -> None:
        try:
            stream.notify()
        except Exception as error:  # whoever listens there is broken: that is no matter of the others
            with suppress(Exception):
                stream.fail(error)

    def _fail(self, batch: Sequence[Pending], error: Exception) -> None:
        with self._changed:
            streams = self._owners_of(batch)
        for stream in streams:
            with suppress(Exception):  # of its notify
                stream.fail(error)

    def _owners_of(self, batch: Sequence[Pending]) -> set[LiveStream]:
        """The streams that these windows belong to and that are still open."""
        return {stream for pending in batch if (stream := self._owners.get(pending.analyzer)) is not None}

    def _remove(self, stream: LiveStream) -> None:
        for analyzer in stream.analyzers:
            self._owners.pop(analyzer, None)
