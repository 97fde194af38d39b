"""Feed one live source into a stream and return its events and its result."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from emovox.audio.level import LevelMeter
from emovox.audio.live import LiveSource
from emovox.audio.reader import AudioReader
from emovox.audio.recorder import Recorder
from emovox.runtime.live_stream import LiveStream
from emovox.runtime.timeline import summarise
from emovox.schema.errors import EmovoxError, EmptyAudioError, PipelineError
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded
from emovox.schema.result import Adapted, Notice, Result, Segment


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event and its latency.

    Attributes:
        event: the event.
        latency: seconds from the capture of the last sample of an `EmotionUpdated` to the event. None for other events,
            because their end is known only in retrospect, and for a file that is not played in real time.
    """

    event: Event
    latency: float | None


class Listener:
    """A thread that feeds the audio of a source into a stream until the source ends or is stopped.

    An error (the source is gone, the disk is full, bad samples) ends it early. The audio before the error is still
    finished: the recording is complete, the stream gives its last events, and `error` holds the error.

    Args:
        source: the source of the audio.
        reader: reads that source at the model's sample rate.
        stream: takes the audio; the thread ends it.
        recorder: saves the audio; the stream then gets exactly the samples that are saved.
    """

    def __init__(
        self,
        source: LiveSource,
        reader: AudioReader,
        stream: LiveStream,
        *,
        recorder: Recorder | None = None,
    ) -> None:
        self.source, self.reader = source, reader
        self.meter = LevelMeter()
        self.error: Exception | None = None
        self.segments: list[Segment] = []
        self._distances: dict[int, float] = {}
        self._stream, self._recorder = stream, recorder
        self._fed = 0
        self._thread = threading.Thread(target=self._run, name="emovox-listen", daemon=True)

    @property
    def seconds(self) -> float:
        """Length in seconds of the audio that the stream has taken."""
        return self._fed / self.reader.sample_rate

    @property
    def given_up(self) -> int:
        """Number of previews that were dropped because the model could not keep up."""
        return self._stream.given_up

    @property
    def adapted(self) -> Adapted | None:
        """What the next scores are adapted to; None: nothing."""
        return self._stream.adapted

    @property
    def is_done(self) -> bool:
        """Return whether all audio is scored and all events and errors are taken."""
        return self._stream.is_done

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def take(self, timeout: float) -> list[TimedEvent]:
        """Wait up to `timeout` seconds for events and return them in order.

        Raises:
            PipelineError: the model failed; no more events follow.
        """
        self._stream.wait(max(0.0, timeout))
        events = self._stream.take()
        for event in events:
            if isinstance(event, SpeechEnded):
                self.segments += event.segments
                if event.unfamiliarity is not None:
                    self._distances[event.channel] = event.unfamiliarity
        return [TimedEvent(event, self._latency(event)) for event in events]

    def stop(self) -> None:
        """Stop the source; the last events follow."""
        self.source.stop()

    def close(self) -> None:
        """Stop, discard audio that is not scored yet, and wait until recording and source are closed."""
        self.stop()
        self._stream.close()
        if self._thread.ident is not None:
            self._thread.join()

    def result(self, name: str, *, threshold: float) -> Result:
        """Return the result of the audio so far: that of predicting its recording, unless the stream learns a voice.

        Args:
            name: name of the recording in the result.
            threshold: abstention threshold in [0, 1].
        """
        saved = self._recorder is not None
        notices = [*self.reader.notices, *self._losses()]
        if self.error is not None:
            notices.append(Notice(getattr(self.error, "code", EmovoxError.code), str(self.error)))
        return summarise(
            name,
            duration=self.seconds if saved else self.reader.seconds,
            segments=self.segments,
            notices=notices,
            threshold=threshold,
            adapted=self.adapted,
            unfamiliarity=max(self._distances.values(), default=None),
        )

    def _losses(self) -> list[Notice]:
        lost, times = self.source.lost, self.source.overflows
        losses = [f"{lost:.2f} s of sound were not taken in time"] if lost else []
        losses += [f"the system dropped sound {times} ×, it does not say how much"] if times else []
        return [Notice("lost", "; ".join(losses))] if losses else []

    def _run(self) -> None:
        try:
            for block in self.reader.blocks():
                audio = block if self._recorder is None else self._recorder.write(block)
                self.meter.feed(audio)
                self._stream.feed(audio)
                self._fed += audio.shape[1]
            self.error = self.source.failure
        except Exception as error:  # of any kind: `result` reports it once the audio before it is finished
            stopped = isinstance(error, EmptyAudioError) and self.source.is_stopped  # before the first sample
            self.error = self.source.failure or (None if stopped else error)
        finally:
            self._finish()

    def _finish(self) -> None:
        for close in (self._recorder.close if self._recorder is not None else None, self.reader.close, self._end):
            try:
                if close is not None:
                    close()
            except Exception as error:  # of any kind: the others are still closed, and the audio is finished
                self.error = self.error or error

    def _end(self) -> None:
        with suppress(PipelineError):  # it failed or was closed: `take` raises the error
            self._stream.end()

    def _latency(self, event: Event) -> float | None:
        if not isinstance(event, EmotionUpdated) or not self.source.is_live:
            return None
        return max(0.0, time.monotonic() - self.source.captured_at(event.end))
