"""A queue of windows for a model: batches of one length, the oldest first, and at most one preview per channel."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice

from emovox.audio.types import Samples
from emovox.runtime.batching import Scored
from emovox.runtime.channel import ChannelAnalyzer
from emovox.runtime.segmenter import Preview, SegmenterEvent
from emovox.runtime.tiles import Tile


@dataclass(eq=False, slots=True)
class Pending:
    """An event of a segmenter that waits to become an event of the stream.

    Attributes:
        analyzer: the analyser of its channel.
        mark: the event of the segmenter; None for a preview that was dropped.
        scored: scores and statistics of a `Tile` or a `Preview`; None before the model has run.
        turn: its place in the queue, counted from 0; -1 outside of the queue.
    """

    analyzer: ChannelAnalyzer
    mark: SegmenterEvent | None
    scored: Scored | None = None
    turn: int = -1

    @property
    def is_ready(self) -> bool:
        """Return whether it can become an event now, or is a dropped preview."""
        return self.scored is not None or not isinstance(self.mark, Tile | Preview)

    @property
    def window(self) -> Samples:
        """Samples for the model, shape [n], float32; only a tile and a preview have them."""
        assert isinstance(self.mark, Tile | Preview)
        return self.mark.samples


@dataclass(slots=True)
class WindowCounts:
    """Counts of a queue.

    Attributes:
        tiles: tiles that were taken for the model.
        previews: previews that were taken for the model.
        merged: previews that a newer one replaced while they waited.
        dropped: previews that were dropped because the queue was full.
        unread: previews that a newer one replaced after they were scored.
    """

    tiles: int = 0
    previews: int = 0
    merged: int = 0
    dropped: int = 0
    unread: int = 0


class WindowQueue:
    """A queue of tiles and previews; its caller holds a lock.

    A new preview of a channel replaces one that still waits, and keeps its turn if it has the same length. So a model
    that cannot keep up serves every channel in turn, and always with its latest audio.

    Args:
        most_previews: largest number of previews that wait; more are dropped. Tiles are not limited here.
    """

    def __init__(self, *, most_previews: int) -> None:
        self.counts = WindowCounts()
        self._most_previews = most_previews
        self._turns = count()
        self._by_length: dict[int, dict[int, Pending]] = {}
        self._previews: dict[ChannelAnalyzer, Pending] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_length.values()))

    def put(self, pending: Pending) -> None:
        """Add a tile or a preview; a preview without room is dropped (`mark` becomes None)."""
        pending.turn = next(self._turns)
        if isinstance(pending.mark, Preview):
            before = self._previews.get(pending.analyzer)
            if before is not None:
                self._replace(before, pending)
            elif len(self._previews) >= self._most_previews:
                self.counts.dropped += 1
                pending.mark = None
                return
            self._previews[pending.analyzer] = pending
        self._by_length.setdefault(_length(pending), {})[pending.turn] = pending

    def take(self, most: int) -> list[Pending]:
        """Remove and return the oldest window and up to `most - 1` more of its length in samples; [] if empty."""
        if not self._by_length:
            return []
        # windows of a length wait in order, so the oldest of all is the first of its length
        length = min(self._by_length, key=lambda length: next(iter(self._by_length[length])))
        taken = list(islice(self._by_length[length].values(), most))
        for pending in taken:
            self._remove(pending)
            if isinstance(pending.mark, Preview):
                self.counts.previews += 1
            else:
                self.counts.tiles += 1
        return taken

    def discard(self, pending: Pending) -> None:
        """Remove a window of a closed stream, if it is in the queue."""
        if isinstance(pending.mark, Tile | Preview) and pending.turn in self._by_length.get(_length(pending), ()):
            self._remove(pending)

    def _replace(self, before: Pending, after: Pending) -> None:
        self.counts.merged += 1
        if _length(before) == _length(after):
            after.turn = before.turn
        else:
            self._remove(before)
        before.mark = None

    def _remove(self, pending: Pending) -> None:
        length = _length(pending)
        del self._by_length[length][pending.turn]
        if not self._by_length[length]:
            del self._by_length[length]
        if self._previews.get(pending.analyzer) is pending:
            del self._previews[pending.analyzer]


def _length(pending: Pending) -> int:
    return int(pending.window.size)
