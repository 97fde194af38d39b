"""The state of a live session, gathered from events: for each channel, one column per hop. Needs no terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from emovox.audio.level import FLOOR_DB, Level
from emovox.runtime.listener import TimedEvent
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted
from emovox.schema.result import Adapted

MOST_COLUMNS = 600
"""Columns that are kept per channel: more than any terminal shows."""


@dataclass(slots=True)
class Column:
    """One hop of one channel.

    Attributes:
        level_db: highest level, in dBFS.
        is_speech: whether there is speech.
        confidence: score of the best label, 0 to 1; None before the first preview.
        label: the best label; None if the model abstains.
        is_final: whether label and confidence come from the verdict. False for a preview.
    """

    level_db: float = FLOOR_DB
    is_speech: bool = False
    confidence: float | None = None
    label: str | None = None
    is_final: bool = False


class History:
    """The columns of one channel. The verdict on an utterance replaces its previews.

    Args:
        hop: seconds per column.
    """

    def __init__(self, hop: float) -> None:
        self.hop = hop
        self._columns: dict[int, Column] = {}
        self._open: int | None = None

    def loudness(self, second: float, level_db: float) -> None:
        """Note the level at `second`, in dBFS."""
        column = self._at(max(0, int(second / self.hop - 1e-6)))
        column.level_db = max(column.level_db, level_db)
        self._columns = {
            index: column for index, column in self._columns.items() if index > second / self.hop - MOST_COLUMNS
        }

    def feed(self, event: Event) -> None:
        """Take the next event of this channel."""
        match event:
            case SpeechStarted():
                self._open = int(event.start / self.hop)
            case EmotionUpdated():
                column = self._at(max(0, round(event.end / self.hop) - 1))
                column.is_speech, column.label, column.confidence = True, event.label, event.confidence
            case SpeechEnded():
                self._settle(event)

    def latest(self, second: float, count: int) -> Iterator[Column]:
        """Yield the last `count` columns, up to the one at `second`. Columns without data are empty."""
        now = max(0, int(second / self.hop - 1e-6))
        for index in range(now - count + 1, now + 1):
            column = self._columns.get(index, Column())
            speaks = self._open is not None and index >= self._open
            yield column if column.is_speech or not speaks else Column(column.level_db, is_speech=True)

    def _settle(self, event: SpeechEnded) -> None:
        """Replace the previews by the segments. A column gets the segment that contains its middle."""
        first, last = int(event.start / self.hop), max(int(event.start / self.hop), round(event.end / self.hop) - 1)
        for index in [number for number in self._columns if number >= first]:
            self._columns[index] = Column(self._columns[index].level_db)
        for index in range(max(first, last - MOST_COLUMNS), last + 1):
            middle = (index + 0.5) * self.hop
            segment = next((part for part in event.segments if middle < part.end), event.segments[-1])
            column = self._at(index)
            column.is_speech = column.is_final = True
            column.label, column.confidence = segment.label, segment.confidence
        self._open = None

    def _at(self, index: int) -> Column:
        return self._columns.setdefault(index, Column())


MOST_UTTERANCES = 100
"""Verdicts that are kept for the screen."""

PEAK_FALL_DB = 2.0
"""dB by which the mark of the peak falls at each update."""


class LiveState:
    """All that the screen shows.

    Args:
        labels: the model's labels, in order.
        hop: seconds between two previews.
        channels: numbers of the channels.
        title: name and version of the model.
        source: title of the source.
        keeping: sentence that says what is stored.
        adapted: what the scores are adapted to at the start; None: nothing.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        hop: float,
        channels: Sequence[int],
        title: str,
        source: str,
        keeping: str,
        adapted: Adapted | None = None,
    ) -> None:
        self.labels, self.title, self.source, self.keeping = tuple(labels), title, source, keeping
        self.histories = {channel: History(hop) for channel in channels}
        self.hop, self.adapted = hop, adapted
        self.level = Level(FLOOR_DB, FLOOR_DB)
        self.seconds = 0.0
        self.is_silent = False
        self.given_up, self.lost, self.overflows = 0, 0.0, 0
        self.speaking: dict[int, SpeechStarted] = {}
        self.latest: EmotionUpdated | None = None
        self.verdicts: deque[SpeechEnded] = deque(maxlen=MOST_UTTERANCES)
        self._latencies: deque[float] = deque(maxlen=20)

    @property
    def latency(self) -> float | None:
        """Seconds from the last sample to the preview: the median of the last 20 previews; None without previews."""
        return median(self._latencies) if self._latencies else None

    def feed(self, timed: TimedEvent) -> None:
        """Take the next event."""
        event = timed.event
        self.histories[event.channel].feed(event)
        if timed.latency is not None:
            self._latencies.append(timed.latency)
        match event:
            case SpeechStarted():
                self.speaking[event.channel] = event
            case EmotionUpdated():
                self.latest = event
            case SpeechEnded():
                self.speaking.pop(event.channel, None)
                self.verdicts.append(event)
                self.adapted = event.adapted
                if self.latest is not None and self.latest.channel == event.channel:
                    self.latest = None

    def listen(self, level: Level | None, seconds: float) -> None:
        """Take the level since the last update; None if there was no audio. `seconds` is the length of the session."""
        self.seconds = seconds
        if level is None:
            return
        peak = max(level.peak_db, self.level.peak_db - PEAK_FALL_DB, FLOOR_DB)
        self.level = Level(level.mean_db, peak)
        for history in self.histories.values():
            history.loudness(seconds, level.mean_db)
