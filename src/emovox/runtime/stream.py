"""A stream of one recording or call: audio in, in chunks of any size, and events out."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import numpy as np

from emovox.audio.arrays import to_float
from emovox.audio.given import as_array
from emovox.audio.types import LARGEST, LOUDEST, Samples, divisor_of
from emovox.runtime.batching import Scorer, score_pieces
from emovox.runtime.channel import ChannelAnalyzer
from emovox.runtime.segmenter import Preview, SegmenterEvent
from emovox.runtime.tiles import Tile
from emovox.schema.errors import AudioError, ChannelError, NonFiniteError, ScaleError
from emovox.schema.events import Event

BLOCK_SECONDS = 10.0
"""Seconds of audio per step: its tiles share a batch, and memory stays small for calls of any length."""


class Stream:
    """A converter from one continuous recording to events; it holds all state, so streams share the model.

    The events of a channel and their order do not depend on the chunking, and scores are equal within float32
    rounding. Segments and `SpeechEnded` come only from tiles. One thread at a time may use a stream; make one for each
    call. For many live streams at once see `emovox.runtime.pipeline`.

    Args:
        model: scores tiles and previews.
        analyzers: one for each channel.
        sample_rate: sample rate in Hz.
    """

    def __init__(self, model: Scorer, analyzers: Sequence[ChannelAnalyzer], *, sample_rate: int) -> None:
        self._model = model
        self._analyzers = tuple(analyzers)
        self._block = round(BLOCK_SECONDS * sample_rate)

    def feed(self, samples: Samples) -> list[Event]:
        """Take the next audio and return the events that are now certain.

        Args:
            samples: [n] or [channels, n] at the model's sample rate, floats in [-1, 1], or int16, int32 or uint8, which
                are scaled by their type; n >= 0, any size.

        Returns:
            Events, in order for each channel: `SpeechStarted`, an `EmotionUpdated` every hop during speech, and
            `SpeechEnded`.

        Raises:
            AudioError: the samples are of another type, or have not one or two dimensions.
            ChannelError: the number of channels is not that of the stream.
            NonFiniteError: there is NaN or infinity; no samples of this chunk were taken.
            ScaleError: the samples are far beyond [-1, 1]; none were taken.
        """
        rows = checked_rows(samples, channels=len(self._analyzers))
        events: list[Event] = []
        for first in range(0, rows.shape[1], self._block):
            block = rows[:, first : first + self._block]
            events += self._answer(
                [analyzer.cutter.feed(row) for analyzer, row in zip(self._analyzers, block, strict=True)]
            )
        return events

    def flush(self) -> list[Event]:
        """End the audio: close the open regions, return the last events and return to the initial state."""
        return self._answer([analyzer.cutter.flush() for analyzer in self._analyzers])

    def reset(self) -> None:
        """Return to the initial state: seconds and utterance numbers start at 0."""
        for analyzer in self._analyzers:
            analyzer.reset()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reset()

    def _answer(self, marks: Sequence[Sequence[SegmenterEvent]]) -> list[Event]:
        pieces = [mark.samples for channel in marks for mark in channel if isinstance(mark, Tile | Preview)]
        scored = iter(score_pieces(self._model, pieces))
        return [
            event
            for analyzer, channel in zip(self._analyzers, marks, strict=True)
            for event in analyzer.advance(channel, scored)
        ]


def checked_rows(samples: Samples, *, channels: int) -> Samples:
    """Check the next audio of a stream and return it as rows of float32.

    Args:
        samples: [n] or [channels, n], floats in [-1, 1], or integers with a full scale.
        channels: number of channels of the stream.

    Returns:
        Shape [channels, n], float32.

    Raises:
        AudioError: the samples are of another type, or have not one or two dimensions.
        ChannelError: the number of channels is not that of the stream.
        NonFiniteError: there is NaN or infinity.
        ScaleError: the samples are far beyond [-1, 1].
    """
    found = as_array(samples)
    if found.ndim not in (1, 2):
        raise AudioError(f"samples are {found.dtype} of shape {list(found.shape)}, expected [n] or [channels, n]")
    rows = np.atleast_2d(to_float(found, name="stream"))
    if len(rows) != channels:
        raise ChannelError(
            f"samples have {len(rows)} channels, this stream has {channels}; "
            "pass [channels, n], or open the stream with this number of channels"
        )
    peak = float(np.abs(rows).max(initial=0.0))
    if not peak <= LARGEST:  # NaN compares false
        raise NonFiniteError(
            "samples hold NaN, infinity or more than any scale has, expected numbers in [-1, 1]; check the source"
        )
    if peak > LOUDEST:
        raise ScaleError(
            f"samples have a peak of {peak:g}, expected numbers in [-1, 1]; divide them by {divisor_of(peak)}"
        )
    return rows
