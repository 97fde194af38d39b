"""All that the screen shows, gathered from events, with a column a hop for each channel; knows no terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from emovox.audio.level import FLOOR_DB, Level
from emovox.runtime.listener import TimedEvent
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted

MOST_COLUMNS = 600
"""Columns kept: wider than any terminal."""


@dataclass(slots=True)
class Column:
    """One hop of one channel.

    Attributes:
        level_db: the loudest moment, in dBFS.
        is_speech: whether somebody speaks.
        confidence: of the best label, 0 to 1; None before the model has said anything.
        label: that label; None when it is not sure.
        is_final: whether it is the verdict, and no preview.
    """

    level_db: float = FLOOR_DB
    is_speech: bool = False
    confidence: float | None = None
    label: str | None = None
    is_final: bool = False


class History:
    """The columns of one channel; a preview stands until the verdict on its segment takes its place.

    Args:
        hop: seconds a column.
    """

    def __init__(self, hop: float) -> None:
        self.hop = hop
        self._columns: dict[int, Column] = {}
        self._open: int | None = None

    def loudness(self, second: float, level_db: float) -> None:
        """Say how loud it is at `second`."""
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
        """Give the last `count` columns, the one at `second` last; where nothing was yet, empty ones."""
        now = max(0, int(second / self.hop - 1e-6))
        for index in range(now - count + 1, now + 1):
            column = self._columns.get(index, Column())
            speaks = self._open is not None and index >= self._open
            yield column if column.is_speech or not speaks else Column(column.level_db, is_speech=True)

    def _settle(self, event: SpeechEnded) -> None:
        """Put the segments in the place of the previews; a column belongs to what its middle lies in."""
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
"""Verdicts kept for the screen."""

PEAK_FALL_DB = 2.0
"""Of the peak's mark, a picture."""


class LiveState:
    """What is known at this moment.

    Args:
        labels: the model's, in order.
        hop: seconds between two previews.
        channels: the numbers of the channels.
        title: which model listens.
        source: what it listens to.
        keeping: what is kept of it.
    """

    def __init__(
        self, labels: Sequence[str], *, hop: float, channels: Sequence[int], title: str, source: str, keeping: str
    ) -> None:
        self.labels, self.title, self.source, self.keeping = tuple(labels), title, source, keeping
        self.histories = {channel: History(hop) for channel in channels}
        self.hop = hop
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
        """Seconds from voice to screen: the median of the last 20 previews."""
        return median(self._latencies) if self._latencies else None

    def feed(self, heard: TimedEvent) -> None:
        """Take the next event."""
        event = heard.event
        self.histories[event.channel].feed(event)
        if heard.latency is not None:
            self._latencies.append(heard.latency)
        match event:
            case SpeechStarted():
                self.speaking[event.channel] = event
            case EmotionUpdated():
                self.latest = event
            case SpeechEnded():
                self.speaking.pop(event.channel, None)
                self.verdicts.append(event)
                if self.latest is not None and self.latest.channel == event.channel:
                    self.latest = None

    def listen(self, level: Level | None, seconds: float) -> None:
        """Take the level since the last picture, which was heard until `seconds`."""
        self.seconds = seconds
        if level is None:
            return
        held = max(level.peak_db, self.level.peak_db - PEAK_FALL_DB, FLOOR_DB)
        self.level = Level(level.mean_db, held)
        for history in self.histories.values():
            history.loudness(seconds, level.mean_db)
