"""Run many live streams on one model, with bounded queues and a rule for overload."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from emovox.runtime.batching import Scorer, scored_rows
from emovox.runtime.channel import ChannelAnalyzer, live_analyzers
from emovox.runtime.live_stream import LiveStream
from emovox.runtime.model import Outputs
from emovox.runtime.predictor import Predictor
from emovox.runtime.window_queue import Pending, WindowQueue
from emovox.schema.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from emovox.adaptation.speaker import SpeakerProfile

LARGEST_BATCH = 4
"""Largest number of windows per run. Four take 15 to 35 % less time than one by one, eight hardly less than four.

Each window waits for all of its batch.
"""

PREVIEWS_WAITING = 256
"""Largest number of previews that wait, over all streams; each takes 192 kB."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of a pipeline since it was made.

    Attributes:
        streams: open streams now.
        waiting: windows that wait for the model now.
        tiles: tiles that were scored.
        previews: previews that were scored.
        merged: previews that a newer one of their channel replaced while they waited for the model.
        dropped: previews that were dropped because the queue was full.
        unread: previews that a newer one replaced before they were taken.
        batches: runs of the model.
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
    """A few threads that score the windows of many streams; no stream needs a thread.

    There are three stages, each with a bounded queue to the next. `LiveStream.feed` finds speech and windows in the
    thread of the caller. The windows wait for a model thread, which takes several of one length at once, the oldest
    first. Their events wait for `LiveStream.take`.

    Under overload previews are dropped, tiles and the bounds of speech never. The next preview of a channel replaces
    one that still waits for the model or to be taken, and keeps its turn if it has the same length. Beyond 256 over all
    streams, new previews are dropped. All of them are counted. A stream with too many tiles or events takes no more
    audio (`has_room`): this is the backpressure for a source that is too fast or a reader that is too slow. So memory
    is bounded.

    Args:
        predictor: the model; it may be shared.
        threads: number of model threads, >= 1; as many cores are busy.

    Raises:
        ConfigError: `threads` is below 1.
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
        coverage: int | None = None,
        adapt: bool = False,
        speaker: SpeakerProfile | None = None,
        name: str = "",
        notify: Callable[[], None] = lambda: None,
    ) -> LiveStream:
        """Open a stream.

        Args:
            channels: as in `Predictor.stream`.
            threshold: as in `Predictor.stream`.
            hop: seconds between two previews, as in `Predictor.stream`.
            coverage: as in `Predictor.stream`.
            adapt: as in `Predictor.stream`.
            speaker: whose voice the scores are adapted to, in place of the predictor's; windows of streams with
                different speakers share a batch.
            name: of that speaker, for `SpeechEnded.adapted`.
            notify: called when there is something to take, when there is room again, and when the stream is over. Any
                thread may call it, usually a model thread. It must return at once.

        Raises:
            PipelineError: the pipeline is closed.
            EmovoxError: as `Predictor.stream`.
        """
        predictor = self.predictor
        if speaker is not None:
            predictor = predictor.for_speaker(speaker, name=name, source=predictor.source)
        voice = predictor.voice_maker(adapt=adapt)
        analyzers = live_analyzers(
            predictor.card, channels=channels, threshold=threshold, hop=hop, voice=voice, coverage=coverage
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
        """The counts so far."""
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
        """End the threads, close every stream and discard audio that is not scored; call `LiveStream.end` before."""
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
        """Score a batch and keep no reference to it: the thread may then wait for hours until there is speech."""
        batch = self._next_batch()
        try:
            if batch:
                windows = np.stack([pending.window for pending in batch])
                self._deliver(batch, self._model.run(windows))
        except Exception as error:  # of any kind: these streams fail, the others and the thread continue
            with self._changed:
                streams = self._owners_of(batch)
            self._fail(streams, error)
        return bool(batch)

    def _next_batch(self) -> list[Pending]:
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) or self._closed)
            batch = [] if self._closed else self._queue.take(LARGEST_BATCH)
            self._batches += bool(batch)
            return batch

    def _deliver(self, batch: Sequence[Pending], outputs: Outputs) -> None:
        with self._changed:
            for pending, scored in zip(batch, scored_rows(outputs), strict=True):
                pending.scored = scored
            streams = self._owners_of(batch)
            errors = {stream: error for stream in streams if (error := _advanced(stream)) is not None}
            self._changed.notify_all()
        for stream in streams:
            if stream in errors:
                self._fail([stream], errors[stream])
            else:
                self._notify(stream)

    def _notify(self, stream: LiveStream) -> None:
        try:
            stream.notify()
        except Exception as error:  # the callback of this stream is broken: the other streams continue
            with suppress(Exception):
                stream.fail(error)

    def _fail(self, streams: Iterable[LiveStream], error: Exception) -> None:
        for stream in streams:
            with suppress(Exception):  # an error of its `notify`
                stream.fail(error)

    def _owners_of(self, batch: Sequence[Pending]) -> set[LiveStream]:
        """Return the open streams of these windows."""
        return {stream for pending in batch if (stream := self._owners.get(pending.analyzer)) is not None}

    def _remove(self, stream: LiveStream) -> None:
        for analyzer in stream.analyzers:
            self._owners.pop(analyzer, None)


def _advanced(stream: LiveStream) -> Exception | None:
    """Turn the scored windows of a stream into events; return the error of its voice, which concerns no other."""
    try:
        stream.advance()
    except Exception as error:  # of any kind: the other streams of the batch continue
        return error
    return None
