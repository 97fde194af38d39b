"""The voice of one channel: it adapts the scores of each window, and may learn from each tile."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from emovox.adaptation.voice import AdaptedScorer
from emovox.audio.types import Samples
from emovox.runtime.batching import Scored
from emovox.schema.result import Adapted

STREAM = "stream"
"""Source of a voice that learns from the stream itself, see `Adapted`."""


class ChannelVoice:
    """Adapts the scores of one channel, in the order of its tiles.

    Args:
        make: makes the adapted head; called again for each recording if the voice learns.
        source: what the scores are adapted to, see `Adapted`.
        learns: whether each tile is added to the voice after it is scored. Else the head may be shared by channels.
    """

    def __init__(self, make: Callable[[], AdaptedScorer], source: str, *, learns: bool) -> None:
        self._make, self._source, self._learns = make, source, learns
        self._scorer = make()

    def anew(self) -> ChannelVoice:
        """Return a voice that has not learnt from the recording so far."""
        return ChannelVoice(self._make, self._source, learns=True) if self._learns else self

    def scores(self, scored: Scored) -> Samples:
        """Return the adapted scores [labels] of a window."""
        found: Samples = self._scorer.scores(scored.statistics[None])[0]
        return found

    def learn(self, scored: Scored, seconds: float) -> None:
        """Add a tile to the voice, if it learns."""
        if self._learns:
            self._scorer.learn(scored.statistics[None], scored.scores[None], [seconds])

    @property
    def adapted(self) -> Adapted:
        """What the next scores are adapted to."""
        voice = self._scorer.voice
        return Adapted(self._source, voice.clips, round(voice.seconds, 3))


def together(found: Iterable[Adapted | None]) -> Adapted | None:
    """Return what the scores of several channels are adapted to; channels that learn have voices of their own.

    >>> together([Adapted("stream", 2, 6.0), Adapted("stream", 1, 3.0)])
    Adapted(source='stream', clips=3, seconds=9.0)
    """
    known = [one for one in found if one is not None]
    if not known or known[0].source != STREAM:
        return known[0] if known else None
    return Adapted(STREAM, sum(one.clips for one in known), round(sum(one.seconds for one in known), 3))


VoiceMaker = Callable[[], ChannelVoice | None]
"""Makes what adapts the scores of one channel; None: nothing does."""


def no_voice() -> None:
    """Return None: scores are not adapted."""
