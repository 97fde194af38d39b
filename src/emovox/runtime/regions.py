"""From decisions on frames to speech regions: onset, hang-over, hysteresis."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from emovox.runtime.vad import CLEAR, SILENT, Levels, VadConfig, frames_of


class Opened(NamedTuple):
    """A region begins with this frame (20 ms each, counted from the beginning of the stream)."""

    frame: int


class Closed(NamedTuple):
    """The open region ended before this frame (20 ms each, counted from the beginning of the stream)."""

    frame: int


class RegionFinder:
    """Open a region on enough certainly voiced frames, keep it over pauses shorter than the hang-over.

    Args:
        config: durations in seconds; frames of 20 ms count from the beginning of the stream.
    """

    def __init__(self, config: VadConfig) -> None:
        self._need = frames_of(config.onset)
        self._hangover = frames_of(config.hangover)
        self._recent: deque[int] = deque(maxlen=frames_of(config.onset_window))
        self._seen = 0
        self.is_open = False
        self.reach = 0
        """The frame after the last voiced one; a region that is open ends here or later."""

    @property
    def earliest(self) -> int:
        """The first frame with which a region can still begin."""
        return self._seen - len(self._recent)

    def feed(self, levels: Levels) -> list[Opened | Closed]:
        """Take the next decisions.

        Args:
            levels: [frames] uint8, one every 20 ms.

        Returns:
            What has begun and ended, in order.
        """
        marks: list[Opened | Closed] = []
        for level in levels.tolist():
            mark = self._hold(level) if self.is_open else self._listen(level)
            self._seen += 1
            if mark is not None:
                marks.append(mark)
        return marks

    def _listen(self, level: int) -> Opened | None:
        self._recent.append(level)
        if level != CLEAR or self._recent.count(CLEAR) < self._need:
            return None
        start = self._seen + 1 - len(self._recent)
        start += next(index for index, recent in enumerate(self._recent) if recent != SILENT)
        self._recent.clear()
        self.is_open = True
        self.reach = self._seen + 1
        return Opened(start)

    def _hold(self, level: int) -> Closed | None:
        if level != SILENT:
            self.reach = self._seen + 1
        elif self._seen + 1 - self.reach >= self._hangover:
            self.is_open = False
            return Closed(self.reach)
        return None
