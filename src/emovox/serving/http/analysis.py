"""Analysis of uploads in a few threads, with progress, limits on the decoded length, and cancellation."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO, Generic, Protocol, TypeVar, cast

from emovox.audio.reader import AudioReader
from emovox.audio.types import RawFormat, Reading, Samples
from emovox.runtime.first_pass import BlockObserver
from emovox.schema.processes import usable_cores
from emovox.serving.errors import BusyError, CancelledError, TooLongError
from emovox.serving.http.uploads import Upload
from emovox.serving.settings import ServiceSettings

NICENESS = 5
"""Niceness (0 to 19) of the threads that analyse uploads: live streams get a core first."""

RECEIVED_A_PLACE = 4
"""Uploads that may be received at once, for each place of an analysis."""

STOP_SECONDS, FORCED_STOP_SECONDS = 10.0, 1.0
"""Seconds for threads to stop when the service ends, and at a forced exit."""

_POLL_SECONDS = 0.02  # between two looks at threads that are to stop

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class BecomesJob(Exception):
    """The recording is longer than `answer_seconds`: it becomes a job."""


class Work(Protocol[T_co]):
    """What is done with a recording: a method of a `Predictor`, with its other arguments given."""

    def __call__(self, source: BinaryIO, *, observer: BlockObserver, reading: Reading) -> T_co:
        """Read the recording, call the observer after each block, and return what is made of it."""


class Analysis(Generic[T]):
    """The analysis of one upload; it owns the file.

    Attributes:
        progress: share of the recording that is analysed, 0 to 1.
        seconds: seconds of audio that are analysed.
        on_progress: called with `progress` after each block, in the thread of `run`.
        answer_seconds: longest recording for an answer without a job; None: no limit.

    Args:
        upload: the recording.
        work: what is done with it.
        max_seconds: longest recording in seconds, all channels of "split" together.
        track: audio track of a video, from 0; None takes the default one.
        raw: what bare samples are; None recognises the form by content.
    """

    def __init__(
        self,
        upload: Upload,
        work: Work[T],
        *,
        max_seconds: float,
        track: int | None = None,
        raw: RawFormat | None = None,
    ) -> None:
        self.progress = 0.0
        self.seconds = 0.0
        self.on_progress: Callable[[float], None] = lambda _: None
        self.answer_seconds: float | None = None
        self._upload, self._work, self._max_seconds = upload, work, max_seconds
        self._cancelled = threading.Event()
        self._track, self._raw = track, raw

    def run(self) -> T:
        """Return the result; call it in a thread of the pool.

        Raises:
            TooLongError: more than `max_seconds`, by the header or when decoded.
            BecomesJob: more than `answer_seconds`, if that is set; `run` may be called again.
            CancelledError: `cancel` was called.
            EmovoxError: as the work.
        """
        self._check_cancelled()
        return self._work(
            cast(BinaryIO, self._upload),
            observer=self._observe,
            reading=Reading(track=self._track, raw=self._raw, isolated=True, check=self._check_cancelled),
        )

    def cancel(self) -> None:
        """Stop at the next read of the file, or at the next block."""
        self._cancelled.set()

    def close(self) -> None:
        """Delete the upload; no thread may run the analysis any more."""
        self._upload.close()

    def _observe(self, _: Samples, reader: AudioReader) -> None:
        self._check_cancelled()
        self.seconds = reader.seconds
        promised = reader.duration or 0.0
        length = max(reader.seconds, promised)  # a header may announce ten hours, or hide them
        length *= reader.channels  # "split" scores each of them
        if length > self._max_seconds:
            raise TooLongError(
                f"{reader.name}: got more than {self._max_seconds:g} s of audio in all channels, which is the most; "
                "send it in parts"
            )
        if self.answer_seconds is not None and length > self.answer_seconds:
            raise BecomesJob
        self.progress = reader.progress
        self.on_progress(self.progress)

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError("the client no longer waits for the answer")


class AnalysisPool:
    """The threads that analyse uploads: some for answers, one for jobs, so that long recordings block no short ones.

    Attributes:
        receiving: uploads that are being received.
        forced_exit: a second signal has come; `close` waits for a shorter time.

    Args:
        settings: `predict_threads` and `max_waiting`.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        threads = settings.predict_threads or usable_cores()
        self._places = threads + settings.max_waiting
        self._answers = ThreadPoolExecutor(threads, "emovox-predict", initializer=_lower_priority)
        self._jobs = ThreadPoolExecutor(1, "emovox-job", initializer=_lower_priority)
        self._running: set[Analysis[Any]] = set()
        self._admitted: set[Analysis[Any]] = set()
        self.receiving = 0
        self.forced_exit = False

    @property
    def admitted(self) -> int:
        """Uploads that have a place: their threads have not stopped yet, even if the client has left."""
        return len(self._admitted)

    @property
    def is_stuck(self) -> bool:
        """True if a thread still runs after `close`: only the end of the process ends it."""
        return bool(self._running)

    @contextlib.contextmanager
    def reception(self) -> Iterator[None]:
        """Count an upload as being received while the block runs.

        It takes no place of an analysis yet: clients may be slow.

        Raises:
            BusyError: all places are taken, or too many uploads are being received.
        """
        self._check_places()
        if self.receiving >= RECEIVED_A_PLACE * self._places:
            raise BusyError(f"{self.receiving} uploads are on their way, which is the limit; try again in a moment")
        self.receiving += 1
        try:
            yield
        finally:
            self.receiving -= 1

    def answer(self, analysis: Analysis[T]) -> Future[T]:
        """Return the future result of an analysis; its place is taken until its thread has stopped.

        Raises:
            BusyError: all places are taken.
        """
        self._check_places()
        self._admitted.add(analysis)
        future = self._submit(self._answers, analysis, analysis.run)
        future.add_done_callback(lambda _: self._admitted.discard(analysis))
        return future

    def job(self, analysis: Analysis[Any], work: Callable[[], None]) -> Future[None]:
        """Queue the work of a job behind the earlier jobs; return its future."""
        return self._submit(self._jobs, analysis, work)

    def close(self) -> None:
        """Cancel all analyses, and wait for the threads, which stop at their next block."""
        self.cancel()
        for pool in (self._answers, self._jobs):
            pool.shutdown(wait=False, cancel_futures=True)
        begun = time.monotonic()
        while self._running and time.monotonic() - begun < (FORCED_STOP_SECONDS if self.forced_exit else STOP_SECONDS):
            time.sleep(_POLL_SECONDS)
        if not self.is_stuck:
            for pool in (self._answers, self._jobs):
                pool.shutdown()

    def cancel(self) -> None:
        """Cancel all analyses without waiting."""
        for analysis in tuple(self._running):
            analysis.cancel()

    def _check_places(self) -> None:
        if self.admitted >= self._places:
            raise BusyError(f"{self.admitted} uploads are at work or wait, which is the limit; try again in a moment")

    def _submit(self, pool: ThreadPoolExecutor, analysis: Analysis[Any], work: Callable[[], T]) -> Future[T]:
        self._running.add(analysis)
        future = pool.submit(work)
        future.add_done_callback(lambda _: self._running.discard(analysis))
        return future


def _lower_priority() -> None:
    if hasattr(os, "setpriority"):  # on Linux each thread has its priority
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
