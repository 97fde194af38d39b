"""One recording or one call as a stream: audio in by chunks of any size, events out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol

import numpy as np

from emovox.audio.reader import LARGEST
from emovox.audio.types import Samples
from emovox.runtime.batching import Scorer, score_pieces
from emovox.runtime.segmenter import RegionEnded, RegionStarted, SegmenterEvent
from emovox.runtime.tiles import Tile
from emovox.runtime.timeline import TIME_DIGITS, label_of, make_segment, mean_scores
from emovox.schema.card import ModelCard
from emovox.schema.errors import AudioError, ChannelError, NonFiniteError
from emovox.schema.events import Event, SpeechEnded, SpeechStarted
from emovox.schema.result import Segment


class Cutter(Protocol):
    """What finds speech in one channel and cuts it into tiles: `emovox.runtime.segmenter.Segmenter`."""

    def feed(self, samples: Samples) -> list[SegmenterEvent]:
        """Take the next samples [n] float32 of one channel."""

    def flush(self) -> list[SegmenterEvent]:
        """End the audio; afterwards the cutter is as new."""

    def reset(self) -> None:
        """Begin again."""


class Stream:
    """Speech in one continuous recording, as events; all state is here, so the model is shared.

    Any chunking of the same samples gives, for each channel, the same events in the same order, with scores equal
    within float32 rounding. Segments and `SpeechEnded` come from tiles and from nothing else. A stream belongs to one
    thread at a time; make one for each call.

    Args:
        model: scores the tiles.
        card: its card: labels and sample rate.
        cutters: one for each channel.
        channels: the number each channel has in the events, from 0.
        threshold: abstention threshold in [0, 1].
    """

    def __init__(
        self, model: Scorer, card: ModelCard, *, cutters: Sequence[Cutter], channels: Sequence[int], threshold: float
    ) -> None:
        self.threshold = threshold
        self._model = model
        self._cutters = tuple(cutters)
        self._voices = tuple(
            _Voice(card, index=index, step=len(self._cutters), channel=channel, threshold=threshold)
            for index, channel in enumerate(channels)
        )

    def feed(self, samples: Samples) -> list[Event]:
        """Take the next audio.

        Args:
            samples: [n] or [channels, n] float32 in [-1, 1] at the model's sample rate; n >= 0, any size.

        Returns:
            What became certain with this audio: `SpeechStarted`, `SpeechEnded`; channel by channel, each in order.

        Raises:
            AudioError: not floating point, or not one or two dimensions.
            ChannelError: another number of channels than the stream has.
            NonFiniteError: NaN or infinity; nothing of this chunk was taken.
        """
        rows = self._rows(samples)
        return self._answer([cutter.feed(row) for cutter, row in zip(self._cutters, rows, strict=True)])

    def flush(self) -> list[Event]:
        """End the audio: close the open regions and give the last events; afterwards the stream is as new."""
        return self._answer([cutter.flush() for cutter in self._cutters])

    def reset(self) -> None:
        """Forget everything, as if the stream were new: seconds and utterance numbers begin at 0 again."""
        for cutter, voice in zip(self._cutters, self._voices, strict=True):
            cutter.reset()
            voice.reset()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reset()

    def _rows(self, samples: Samples) -> Samples:
        samples = np.asarray(samples)
        if not np.issubdtype(samples.dtype, np.floating) or samples.ndim not in (1, 2):
            raise AudioError(
                f"samples are {samples.dtype} of shape {list(samples.shape)}, expected float32 [n] or [channels, n] "
                "in [-1, 1]; divide 16-bit integers by 32768"
            )
        with np.errstate(over="ignore"):  # becomes infinity, which is refused below
            rows = np.atleast_2d(samples).astype(np.float32, copy=False)
        if len(rows) != len(self._cutters):
            raise ChannelError(
                f"samples have {len(rows)} channels, this stream has {len(self._cutters)}; "
                "pass [channels, n], or open the stream with this number of channels"
            )
        if not (np.abs(rows) <= LARGEST).all():  # NaN compares false
            raise NonFiniteError(
                "samples hold NaN, infinity or more than any scale has, expected numbers in [-1, 1]; check the source"
            )
        return rows

    def _answer(self, marks: Sequence[Sequence[SegmenterEvent]]) -> list[Event]:
        pieces = [mark.samples for channel in marks for mark in channel if isinstance(mark, Tile)]
        scores = iter(score_pieces(self._model, pieces))
        events: list[Event] = []
        for voice, channel in zip(self._voices, marks, strict=True):
            events += voice.advance(channel, scores)
        return events


class _Voice:
    """One channel: gathers the segments of the open region and numbers the utterances.

    Utterance numbers depend on the channel's own regions only (region * channels + index), so they are unique in the
    stream and do not depend on the chunking.
    """

    def __init__(self, card: ModelCard, *, index: int, step: int, channel: int, threshold: float) -> None:
        self._labels, self._rate = card.labels, card.sample_rate
        self._index, self._step, self._channel, self._threshold = index, step, channel, threshold
        self._segments: list[Segment] = []

    def reset(self) -> None:
        self._segments = []

    def advance(self, marks: Sequence[SegmenterEvent], scores: Iterator[Samples]) -> list[Event]:
        events: list[Event] = []
        for mark in marks:
            if isinstance(mark, Tile):
                self._segments.append(self._segment(mark, next(scores)))
            elif isinstance(mark, RegionStarted):
                events.append(SpeechStarted(self._utterance(mark.region), self._channel, self._seconds(mark.start)))
            else:
                events.append(self._ended(mark))
                self._segments = []
        return events

    def _utterance(self, region: int) -> int:
        return region * self._step + self._index

    def _seconds(self, position: int) -> float:
        return round(position / self._rate, TIME_DIGITS)

    def _segment(self, tile: Tile, scores: Samples) -> Segment:
        return make_segment(
            scores,
            labels=self._labels,
            start=tile.start / self._rate,
            end=tile.end / self._rate,
            channel=self._channel,
            threshold=self._threshold,
        )

    def _ended(self, mark: RegionEnded) -> SpeechEnded:
        scores = mean_scores(self._segments)
        return SpeechEnded(
            utterance=self._utterance(mark.region),
            channel=self._channel,
            start=self._seconds(mark.start),
            end=self._seconds(mark.end),
            label=label_of(scores, threshold=self._threshold),
            confidence=max(scores.values()),
            scores=scores,
            segments=tuple(self._segments),
        )
