"""From the frames of a client to samples at the model's rate, in pieces that never hold up the other streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from emovox.audio.types import Samples
from emovox.serving.encodings import WIDTHS, decode
from emovox.serving.errors import FrameError
from emovox.serving.messages import SessionStart

STEP_SECONDS = 0.1
"""Audio is handed on when the stream reaches a multiple of this: voice activity decides in such steps, and hops end on
them. 20 ms frames one by one would cost half as much again."""

PIECE_SECONDS = 0.5
"""Most audio in a piece: 0.5 ms of work for the event loop, whatever the size of a frame."""


class AudioIn:
    """Decode and resample the audio of one stream; all its state is here.

    Args:
        start: what the frames hold.
        sample_rate: of the model, in Hz.
        hop: seconds between updates; shorter steps are taken where it is no multiple of 0.1 s.
    """

    def __init__(self, start: SessionStart, *, sample_rate: int, hop: float) -> None:
        self._encoding, self._channels, self._rate = start.encoding, start.channels, start.sample_rate
        self._width = WIDTHS[start.encoding] * start.channels
        step = STEP_SECONDS if abs(hop / STEP_SECONDS - round(hop / STEP_SECONDS)) < 1e-6 else 0.0
        self._step, self._most = round(step * self._rate), round(PIECE_SECONDS * self._rate)
        self._held = bytearray()
        self._taken = 0
        self._resampler: Any = None
        if self._rate != sample_rate:
            import soxr  # 4 ms, and not needed when the rates agree

            self._resampler = soxr.ResampleStream(self._rate, sample_rate, self._channels, dtype="float32")

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
            FrameError: no whole number of samples of every channel.
        """
        count, rest = divmod(len(frame), self._width)
        if rest:
            raise FrameError(
                f"got a frame of {len(frame)} bytes, expected a multiple of {self._width} "
                f"({self._encoding}, channels: {self._channels}); send whole samples of all channels"
            )
        before = self._taken
        self._taken += count
        self._held += frame
        if self._step == 0 or before // self._step != self._taken // self._step:
            yield from self._pieces(keep=self._taken % self._step if self._step else 0)

    def flush(self) -> Iterator[Samples]:
        """End the audio; gives what is left, as `feed`."""
        yield from self._pieces(keep=0)
        if self._resampler is not None:
            rest = self._resampler.resample_chunk(np.empty((0, self._channels), np.float32), last=True)
            yield np.ascontiguousarray(rest.T)

    def _pieces(self, *, keep: int) -> Iterator[Samples]:
        whole = len(self._held) - keep * self._width
        data = bytes(self._held[:whole])
        del self._held[:whole]
        for first in range(0, whole, self._most * self._width):
            piece = data[first : first + self._most * self._width]
            yield self._resampled(decode(piece, encoding=self._encoding, channels=self._channels))

    def _resampled(self, samples: Samples) -> Samples:
        if self._resampler is None:
            return samples
        return np.ascontiguousarray(self._resampler.resample_chunk(np.ascontiguousarray(samples.T)).T)
