"""Turn the frames of a client into samples at the model's rate, in pieces too short to delay other streams."""

from __future__ import annotations

import math
from collections.abc import Iterator

from emovox.audio.encodings import WIDTHS, decode
from emovox.audio.resampling import Doubler, Resampler
from emovox.audio.types import Samples
from emovox.serving.errors import FrameError
from emovox.serving.live.messages import SessionStart

STEP_SECONDS = 0.25
"""Length in seconds of the steps in which audio goes to the pipeline. They end where a hop ends, so that no update
waits for a step. Steps of 0.1 s would cost a silent stream twice the time,
and find the bounds of speech 0.1 s sooner."""

RESAMPLED_STEP_SECONDS = 0.1
"""Length in seconds of the steps of resampled audio: a hop ends inside a step there, since resampling adds a delay."""

PIECE_SECONDS = 0.5
"""Most seconds of audio in a piece: 0.5 ms of work for the event loop, for frames of any size."""

_ROUNDING = 1e-6


class AudioIn:
    """The decoder and resampler of one stream, with all its state.

    Args:
        start: encoding, channels and rate of the frames.
        sample_rate: of the model, in Hz.
        hop: seconds between updates.
    """

    def __init__(self, start: SessionStart, *, sample_rate: int, hop: float) -> None:
        self._encoding, self._channels, self._rate = start.encoding, start.channels, start.sample_rate
        self._width = WIDTHS[start.encoding] * start.channels
        step = STEP_SECONDS if self._rate == sample_rate else RESAMPLED_STEP_SECONDS
        self._step = hop * self._rate / max(1, round(hop / step))
        self._most = round(PIECE_SECONDS * self._rate)
        self._buffer = bytearray()
        self._taken = self._steps = 0
        self._resampler = _resampler(start, sample_rate)

    @property
    def seconds(self) -> float:
        """Seconds of audio received so far."""
        return self._taken / self._rate

    def feed(self, frame: bytes) -> Iterator[Samples]:
        """Yield the samples up to the end of the last complete step.

        Args:
            frame: interleaved samples of all channels.

        Yields:
            [channels, n] float32 at the model's rate, n up to half a second.

        Raises:
            FrameError: the frame has no sample, or no whole number of samples of every channel.
        """
        count, rest = divmod(len(frame), self._width)
        if rest or not count:  # an empty frame would keep an idle stream open
            raise FrameError(
                f"got a frame of {len(frame)} bytes, expected a multiple of {self._width} above 0 "
                f"({self._encoding}, channels: {self._channels}); send whole samples of all channels"
            )
        self._taken += count
        self._buffer += frame
        steps = int(self._taken / self._step + _ROUNDING)
        if steps > self._steps:
            self._steps = steps
            yield from self._pieces(keep=self._taken - math.ceil(steps * self._step - _ROUNDING))

    def flush(self) -> Iterator[Samples]:
        """Yield the rest of the audio at its end, as `feed`."""
        yield from self._pieces(keep=0)
        if self._resampler is not None:
            yield self._resampler.flush()

    def _pieces(self, *, keep: int) -> Iterator[Samples]:
        whole = len(self._buffer) - keep * self._width
        data = bytes(self._buffer[:whole])
        del self._buffer[:whole]
        for first in range(0, whole, self._most * self._width):
            piece = data[first : first + self._most * self._width]
            samples = decode(piece, encoding=self._encoding, channels=self._channels)
            yield samples if self._resampler is None else self._resampler.feed(samples)


def _resampler(start: SessionStart, sample_rate: int) -> Doubler | Resampler | None:
    """Return the resampler of least delay that equals the one for recordings; None if the rates match."""
    if start.sample_rate == sample_rate:
        return None
    if 2 * start.sample_rate == sample_rate:
        return Doubler(start.channels)
    return Resampler(start.sample_rate, sample_rate, start.channels)
