"""Cut audio into frames: a whole recording, or a stream block by block."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples
from emovox.schema.errors import AudioError

Frames: TypeAlias = npt.NDArray[np.float32]
"""Frames of audio, shape [..., frames, length], float32."""


def frame(samples: Samples, *, length: int, hop: int) -> Frames:
    """Cut audio into overlapping frames, without padding.

    A tail shorter than `length` is dropped; `FrameBuffer` keeps it for the next call.

    Args:
        samples: shape [..., n], float32.
        length: frame length in samples, >= 1.
        hop: step between frame starts in samples, >= 1.

    Returns:
        Shape [..., frames, length], a read-only view; frames = max(0, 1 + (n - length) // hop).

    Raises:
        AudioError: `length` or `hop` is below 1.

    >>> frame(np.arange(5, dtype=np.float32), length=3, hop=2).tolist()
    [[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]
    """
    if length < 1 or hop < 1:
        raise AudioError(f"got length {length} and hop {hop}, expected both >= 1 sample")
    if samples.shape[-1] < length:
        return np.empty((*samples.shape[:-1], 0, length), samples.dtype)
    # sliding_window_view returns the same but takes 17 µs instead of 4; a live stream calls this ten times a second.
    count, step = 1 + (samples.shape[-1] - length) // hop, samples.strides[-1]
    return np.lib.stride_tricks.as_strided(
        samples,
        (*samples.shape[:-1], count, length),
        (*samples.strides[:-1], hop * step, step),
        writeable=False,
    )


class FrameBuffer:
    """Cuts a stream, block by block, into the same frames as `frame` cuts from the whole of it.

    Args:
        channels: number of channels of the blocks.
        length: frame length in samples, >= 1.
        hop: step between frame starts in samples, >= 1.
    """

    def __init__(self, *, channels: int, length: int, hop: int) -> None:
        self._length = length
        self._hop = hop
        self._rest: Samples = np.empty((channels, 0), np.float32)
        self._skip = 0

    def push(self, samples: Samples) -> Frames:
        """Add the next block and return the frames that are now complete.

        Args:
            samples: shape [channels, n], float32, n >= 0.

        Returns:
            Shape [channels, frames, length], a read-only view, possibly of `samples`.

        Raises:
            AudioError: `length` or `hop` is below 1.
        """
        skipped = min(self._skip, samples.shape[1])
        held = np.concatenate([self._rest, samples[:, skipped:]], axis=1)
        frames = frame(held, length=self._length, hop=self._hop)
        done = frames.shape[1] * self._hop
        self._rest = held[:, done:].copy()
        self._skip += max(done - held.shape[1], 0) - skipped
        return frames

    @property
    def rest(self) -> Samples:
        """The samples that wait for the next block, shape [channels, n]."""
        return self._rest
