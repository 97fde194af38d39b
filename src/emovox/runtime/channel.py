"""Analyse one channel of a stream: tiles and previews with their scores become events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from emovox.adaptation.familiarity import Familiarity, RunningDistance
from emovox.audio.types import Samples
from emovox.runtime.batching import Scored
from emovox.runtime.channel_voice import ChannelVoice, VoiceMaker, no_voice
from emovox.runtime.segmenter import (
    Preview,
    RegionEnded,
    RegionStarted,
    Segmenter,
    SegmenterConfig,
    SegmenterEvent,
)
from emovox.runtime.tiles import Tile
from emovox.runtime.timeline import (
    DISTANCE_DIGITS,
    TIME_DIGITS,
    label_of,
    make_segment,
    mean_plain_scores,
    mean_scores,
    spoken,
)
from emovox.schema.arguments import number, whole
from emovox.schema.card import ModelCard
from emovox.schema.errors import ChannelError, ConfigError
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted
from emovox.schema.label_sets import event_with_sets, sets_of
from emovox.schema.result import NOT_SPEECH, Adapted, Segment
from emovox.schema.trust import CardSets


class Cutter(Protocol):
    """An object that finds speech in one channel and cuts it into tiles: `emovox.runtime.segmenter.Segmenter`."""

    def feed(self, samples: Samples) -> list[SegmenterEvent]:
        """Take the next samples [n] float32 of one channel and return the events that are now certain."""

    def flush(self) -> list[SegmenterEvent]:
        """End the audio, return the last events and return to the initial state."""

    def reset(self) -> None:
        """Return to the initial state."""


class Smoother:
    """A running mean of the scores of the latest two windows, shape [labels].

    When two windows in a row agree on the best label, that label has the highest mean, whatever came before. So a
    lasting change is shown at most one window late. A single window that disagrees changes the label only if its lead
    over the former label is larger than the lead of that label in the window before.

    >>> smoother = Smoother()
    >>> [smoother.feed(np.array(scores)).argmax().item() for scores in ([0.9, 0.1], [0.2, 0.8], [0.4, 0.6])]
    [0, 0, 1]
    """

    def __init__(self) -> None:
        self._before: Samples | None = None

    def feed(self, scores: Samples) -> Samples:
        """Take the scores of the next window and return smoothed ones; both have the shape [labels] and sum to 1."""
        before = scores if self._before is None else self._before
        self._before = scores
        mean: Samples = (before + scores) / np.float32(2)
        return mean


class ChannelAnalyzer:
    """The analyser of a channel: it collects the segments of a region, smooths previews and numbers utterances.

    An utterance number depends only on the regions of its channel (region * channels + index). So it is unique in the
    stream and does not depend on the chunking.

    Args:
        card: the card of the model; gives labels and sample rate (Hz).
        cutter: finds the speech of this channel.
        index: index of the channel in the stream, from 0.
        channels: number of channels of the stream.
        channel: number of the channel in the events.
        threshold: abstention threshold in [0, 1].
        voice: adapts the scores of this channel; None leaves them as they are.
        keep: whether to keep the statistics of the tiles, for a second pass.
        sets: how sets of labels are made; None makes none.
        familiarity: tells how far the tiles are from the recordings in training; it lowers scores that are not adapted.
    """

    def __init__(
        self,
        card: ModelCard,
        cutter: Cutter,
        *,
        index: int,
        channels: int,
        channel: int,
        threshold: float,
        voice: ChannelVoice | None = None,
        keep: bool = False,
        sets: CardSets | None = None,
        familiarity: Familiarity | None = None,
    ) -> None:
        self.cutter, self.channel = cutter, channel
        self._voice, self._keep, self._sets = voice, keep, sets
        self._heard = None if familiarity is None else RunningDistance(familiarity)
        self.kept: list[Samples] = []
        """Statistics [p] of the tiles so far, in the order of their segments."""
        self._labels, self._rate, self._speech = card.labels, card.sample_rate, card.speech
        self._index, self._step, self._threshold = index, channels, threshold
        self._clear_region()

    @property
    def unfamiliarity(self) -> float | None:
        """Distance of the speech so far from the recordings in training; above 1: unfamiliar; None: unknown."""
        return None if self._heard is None or not self._heard.tiles else round(self._heard.distance, DISTANCE_DIGITS)

    @property
    def adapted(self) -> Adapted | None:
        """What the next scores are adapted to; None: nothing."""
        return None if self._voice is None else self._voice.adapted

    def reset(self) -> None:
        """Return to the initial state: seconds and utterance numbers start at 0."""
        self.cutter.reset()
        self.kept = []
        if self._voice is not None:
            self._voice = self._voice.anew()
        if self._heard is not None:
            self._heard = RunningDistance(self._heard.familiarity)
        self._clear_region()

    def advance(self, marks: Sequence[SegmenterEvent], scored: Iterator[Scored]) -> list[Event]:
        """Turn events of the segmenter into events of the stream.

        Args:
            marks: the next events of the segmenter, in order.
            scored: yields scores and statistics for each `Tile` and `Preview` in `marks`.

        Returns:
            Events with times in seconds.
        """
        events = [event for mark in marks if (event := self._advance(mark, scored)) is not None]
        return events if self._sets is None else [event_with_sets(event, self._sets) for event in events]

    def _advance(self, mark: SegmenterEvent, scored: Iterator[Scored]) -> Event | None:
        match mark:
            case RegionStarted():
                return SpeechStarted(self._utterance(mark.region), self.channel, self._seconds(mark.start))
            case Preview():
                return self._updated(mark, next(scored))
            case Tile():
                self._segments.append(self._segment(mark, next(scored)))
                return None
            case RegionEnded():
                ended = self._ended(mark)
                self._clear_region()
                return ended

    def _clear_region(self) -> None:
        self._segments: list[Segment] = []
        self._smoother = Smoother()

    def _utterance(self, region: int) -> int:
        return region * self._step + self._index

    def _seconds(self, position: int) -> float:
        return round(position / self._rate, TIME_DIGITS)

    def _code(self, scored: Scored) -> str | None:
        """Return why a window has no label whatever its scores; None: it may have one."""
        if self._speech is None or scored.speech is None or scored.speech >= self._speech.threshold:
            return None
        return NOT_SPEECH

    def _adapted(self, scored: Scored) -> Samples:
        if self._voice is not None:
            return self._voice.scores(scored)
        if self._heard is None or self._keep:  # a second pass needs the scores as they are
            return scored.scores
        return self._heard.tempered(scored.scores)

    def _segment(self, tile: Tile, scored: Scored) -> Segment:
        code = self._code(scored)
        adapts = self._voice is not None and code is None
        if self._heard is not None and code is None:
            self._heard.add(scored.statistics)
        segment = make_segment(
            self._adapted(scored) if code is None else scored.scores,
            labels=self._labels,
            start=tile.start / self._rate,
            end=tile.end / self._rate,
            channel=self.channel,
            threshold=self._threshold,
            plain=scored.scores if adapts else None,
            code=code,
        )
        if self._keep:
            self.kept.append(scored.statistics)
        if self._voice is not None and adapts:
            self._voice.learn(scored, (tile.end - tile.start) / self._rate)
        return segment

    def _updated(self, preview: Preview, scored: Scored) -> EmotionUpdated:
        scores, code = self._smoother.feed(self._adapted(scored)), self._code(scored)
        named = dict(zip(self._labels, scores.tolist(), strict=True))
        return EmotionUpdated(
            utterance=self._utterance(preview.region),
            channel=self.channel,
            start=self._seconds(preview.start),
            end=self._seconds(preview.end),
            label=None if code else label_of(named, threshold=self._threshold),
            confidence=max(named.values()),
            scores=named,
            code=code,
        )

    def _ended(self, mark: RegionEnded) -> SpeechEnded:
        heard = spoken(self._segments)
        scores = mean_scores(heard or self._segments)
        return SpeechEnded(
            utterance=self._utterance(mark.region),
            channel=self.channel,
            start=self._seconds(mark.start),
            end=self._seconds(mark.end),
            label=label_of(scores, threshold=self._threshold) if heard else None,
            confidence=max(scores.values()),
            scores=scores,
            segments=tuple(self._segments),
            adapted=self.adapted,
            plain_scores=mean_plain_scores(heard),
            code=None if heard else NOT_SPEECH,
            unfamiliarity=self.unfamiliarity,
        )


def make_analyzers(
    card: ModelCard,
    numbers: Sequence[int],
    *,
    threshold: float,
    hop: float | None,
    speech_only: bool = True,
    voice: VoiceMaker = no_voice,
    keep: bool = False,
    cuts: Sequence[Sequence[int]] = (),
    coverage: int | None = None,
) -> tuple[ChannelAnalyzer, ...]:
    """Return an analyser for each channel of a stream.

    Args:
        card: the card of the model.
        numbers: number of each channel in the events.
        threshold: abstention threshold in [0, 1].
        hop: seconds between two previews, a multiple of 20 ms; None gives no previews.
        speech_only: whether to look for speech; False treats the whole audio as speech.
        voice: makes what adapts the scores of a channel.
        keep: whether analysers keep the statistics of the tiles.
        cuts: for each channel the samples at which a tile ends; none cuts no channel.
        coverage: percent of the cases in which the set of labels of an event holds the true one; None makes no sets.

    Raises:
        ConfigError: `threshold` or `hop` is out of range, or `coverage` is not on the card.
        NoSetsError: `coverage` is given, and the model has no sets.
    """
    threshold, hop = number(threshold, "threshold"), None if hop is None else number(hop, "hop")
    if not 0 <= threshold <= 1:
        raise ConfigError(f"threshold is {threshold}, expected a probability from 0 to 1")
    config = SegmenterConfig(sample_rate=card.sample_rate, window=card.window, shortest=card.shortest)
    sets = None if coverage is None else sets_of(card, coverage)
    measured = None if card.trust is None else card.trust.familiarity
    familiarity = None if measured is None else Familiarity.from_card(measured)
    return tuple(
        ChannelAnalyzer(
            card,
            Segmenter(config, hop=hop, speech_only=speech_only, cuts=cuts[index] if cuts else ()),
            index=index,
            channels=len(numbers),
            channel=number,
            threshold=threshold,
            voice=voice(),
            keep=keep,
            sets=sets,
            familiarity=familiarity,
        )
        for index, number in enumerate(numbers)
    )


def live_analyzers(
    card: ModelCard,
    *,
    channels: int | Sequence[int],
    threshold: float | None = None,
    hop: float | None = None,
    voice: VoiceMaker = no_voice,
    coverage: int | None = None,
) -> tuple[ChannelAnalyzer, ...]:
    """Return an analyser, with previews, for each channel of a live stream.

    Args:
        card: the card of the model.
        channels: the count of channels, numbered from 0, or the number of each channel in the events.
        threshold: abstention threshold in [0, 1]; None takes the card's.
        hop: seconds between two previews, a multiple of 20 ms; None takes the card's.
        voice: makes what adapts the scores of a channel.
        coverage: as in `make_analyzers`.

    Raises:
        ChannelError: there is no channel.
        EmovoxError: as `make_analyzers`.
    """
    given: Any = channels
    is_count = isinstance(given, str) or not isinstance(given, Iterable)
    numbers = range(whole(given, "channels")) if is_count else [whole(one, "channels") for one in given]
    if not numbers:
        raise ChannelError(f"channels is {channels}, expected at least 1")
    return make_analyzers(
        card,
        numbers,
        threshold=card.threshold if threshold is None else threshold,
        hop=card.hop if hop is None else hop,
        voice=voice,
        coverage=coverage,
    )
