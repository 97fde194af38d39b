"""The envelope of a recording in a few thousand numbers, computed while it streams."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples

SHORTEST_BIN = 16
"""Initial length of a bin in samples. It doubles whenever there are too many bins."""


class Envelope:
    """The lowest and highest sample of equal bins of time, in bounded memory for a recording of any length.

    When there are more than `bins` bins, neighbours are merged and the length of a bin doubles. So the envelope of
    three hours takes as much memory as that of three seconds.

    Args:
        sample_rate: sample rate in Hz.
        bins: largest number of bins, even, >= 2; 4096 are about twice the pixels of a wide plot.
    """

    def __init__(self, *, sample_rate: int, bins: int = 4096) -> None:
        self._rate, self._bins = sample_rate, bins
        self._length = SHORTEST_BIN
        self._outline = np.empty((2, 0), np.float32)
        self._open = np.empty((2, 0), np.float32)

    def feed(self, samples: Samples) -> None:
        """Take the next samples [channels, n] float32; a bin covers all channels."""
        joined = np.concatenate([self._open, np.stack([samples.min(axis=0), samples.max(axis=0)])], axis=1)
        whole = joined.shape[1] // self._length * self._length
        self._open = joined[:, whole:]
        self._outline = np.concatenate([self._outline, _merged(joined[:, :whole], self._length)], axis=1)
        while self._outline.shape[1] > self._bins:
            self._coarsen()

    def outline(self) -> tuple[npt.NDArray[np.float64], Samples, Samples]:
        """Return the envelope of the audio so far.

        Returns:
            The middle of each bin in seconds, its lowest and its highest sample; three arrays of shape [bins].
        """
        outline = self._outline
        middles = (np.arange(outline.shape[1]) + 0.5) * self._length
        if self._open.shape[1]:
            middles = np.append(middles, outline.shape[1] * self._length + self._open.shape[1] / 2)
            outline = np.concatenate([outline, _merged(self._open, self._open.shape[1])], axis=1)
        return middles / self._rate, outline[0], outline[1]

    def _coarsen(self) -> None:
        even = self._outline.shape[1] // 2 * 2
        # An odd bin returns to the open samples; its lowest and highest sample replace all its samples.
        rest = np.repeat(self._outline[:, even:], self._length, axis=1)
        self._open = np.concatenate([rest, self._open], axis=1)
        self._outline = _merged(self._outline[:, :even], 2)
        self._length *= 2


def _merged(outline: Samples, count: int) -> Samples:
    grouped = outline.reshape(2, -1, count)
    return np.stack([grouped[0].min(axis=1), grouped[1].max(axis=1)])
