"""From the frames of a client to samples at the model's rate, in pieces that never hold up the other streams."""

from __future__ import annotations

import math
from collections.abc import Iterator

from emovox.audio.resampling import Doubler, Resampler
from emovox.audio.types import Samples
from emovox.serving.errors import FrameError
from emovox.serving.live.encodings import WIDTHS, decode
from emovox.serving.live.messages import SessionStart

STEP_SECONDS = 0.25
"""Audio is handed on in about such steps, which end where a hop ends, so that no update waits for one. 0.1 s would cost
a silent stream twice the time, and brings the bounds of speech 0.1 s sooner."""

RESAMPLED_STEP_SECONDS = 0.1
"""The same where the audio is resampled: a hop then ends somewhere in a step, since a resampler is late."""

PIECE_SECONDS = 0.5
"""Most audio in a piece: 0.5 ms of work for the event loop, whatever the size of a frame."""

_ROUNDING = 1e-6


class AudioIn:
    """Decode and resample the audio of one stream; all its state is here.

    Args:
        start: what the frames hold.
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
        """Take a frame.

        Args:
            frame: interleaved samples of all channels.

        Yields:
            What there is up to the last step, as [channels, n] float32 at the model's rate, n up to half a second.

        Raises:
            FrameError: no sample, or no whole number of samples of every channel.
        """
        count, rest = divmod(len(frame), self._width)
        if rest or not count:  # one without audio would keep an idle stream open
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
        """End the audio; gives what is left, as `feed`."""
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
    """The one that gives what a recording of the same audio gives, as soon as it can."""
    if start.sample_rate == sample_rate:
        return None
    if 2 * start.sample_rate == sample_rate:
        return Doubler(start.channels)
    return Resampler(start.sample_rate, sample_rate, start.channels)
