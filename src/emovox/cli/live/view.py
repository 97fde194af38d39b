"""All that the screen shows, gathered from events; knows nothing of terminals."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median

from emovox.audio.level import FLOOR_DB, Level
from emovox.cli.live.history import History
from emovox.runtime.listener import TimedEvent
from emovox.schema.events import EmotionUpdated, SpeechEnded, SpeechStarted

MOST_UTTERANCES = 100
"""Verdicts kept for the screen."""

PEAK_FALL_DB = 2.0
"""Of the peak's mark, a picture."""


class View:
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
