"""Silence by energy: the intervals of `librosa.effects.split`, in numpy, for whole recordings and for streams."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.audio.framing import FrameBuffer
from emovox.audio.types import Samples

FRAME_LENGTH = 2048
HOP_LENGTH = 512
TOP_DB = 20.0
"""Defaults of the reference guide, for 22,050 Hz: 93 ms frames every 23 ms, 20 dB below the loudest."""

_SMALLEST = 1e-5
"""Amplitudes below this count as this (-100 dB), as in `librosa.amplitude_to_db`."""

_CHUNK = 2**16
"""Samples squared at once: frames overlap fourfold, so the squares of a long recording would not fit into memory."""

Intervals = npt.NDArray[np.int64]
"""[k, 2]: start and end in samples, ascending and disjoint."""


class EnergyTrack:
    """The energy of a recording's frames, gathered block by block; the frames are centred and padded with zeros.

    Any blocks give the same track bit by bit, as every frame is summed on its own.

    Args:
        channels: number of rows of the blocks.
        frame_length: samples a frame, >= 1.
        hop_length: samples between the centres of frames, >= 1.
    """

    def __init__(self, *, channels: int, frame_length: int = FRAME_LENGTH, hop_length: int = HOP_LENGTH) -> None:
        self._buffer = FrameBuffer(channels=channels, length=frame_length, hop=hop_length)
        self._padding = np.zeros((channels, frame_length // 2), np.float32)
        self._hop = hop_length
        self._n = 0
        self._powers = [self._power(self._padding)]

    def add(self, samples: Samples) -> None:
        """Take the next samples [channels, n] float32, any n >= 0."""
        self._n += samples.shape[1]
        for start in range(0, samples.shape[1], _CHUNK):
            self._powers.append(self._power(samples[:, start : start + _CHUNK]))

    def intervals(self, *, top_db: float = TOP_DB) -> Intervals:
        """Close the track and give the intervals that are louder than `top_db` below its loudest frame.

        Args:
            top_db: threshold below the loudest frame in dB, > 0.

        Returns:
            [k, 2] start and end in samples. A frame is loud when it is so in any channel; a recording of one level,
            digital silence included, is one interval.
        """
        power = np.concatenate([*self._powers, self._power(self._padding)], axis=1)
        if self._n == 0:
            return np.empty((0, 2), np.int64)
        loud = (_decibels(power) > -top_db).any(axis=0)
        edges = np.flatnonzero(np.diff(loud, prepend=False, append=False))
        return np.minimum(edges * self._hop, self._n).reshape(-1, 2)

    def _power(self, samples: Samples) -> npt.NDArray[np.float32]:
        # The order of summation is librosa's (each frame contiguous), so that the thresholds fall alike.
        power: npt.NDArray[np.float32] = np.square(self._buffer.push(samples)).mean(axis=-1)
        return power


def _decibels(power: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
    amplitude = np.sqrt(power)
    floor = _SMALLEST**2
    loudest: np.float32 = amplitude.max() ** 2
    level: npt.NDArray[np.floating] = 10.0 * np.log10(np.maximum(floor, np.square(amplitude)))
    level -= 10.0 * np.log10(np.maximum(floor, loudest))
    return level


def speech_intervals(
    samples: Samples, *, top_db: float = TOP_DB, frame_length: int = FRAME_LENGTH, hop_length: int = HOP_LENGTH
) -> Intervals:
    """Find what is louder than `top_db` below the loudest frame.

    The threshold is relative to the loudest frame of the whole recording, so a single bang makes speech "silent": for
    live or unknown audio use the voice activity detector of `emovox.runtime`.

    Args:
        samples: [n] or [channels, n] float32.
        top_db: threshold below the loudest frame in dB, > 0.
        frame_length: samples a frame, >= 1.
        hop_length: samples between the centres of frames, >= 1.

    Returns:
        [k, 2] int64: start and end in samples, equal to `librosa.effects.split` for the same arguments.

    Raises:
        AudioError: `frame_length` or `hop_length` below 1.

    Reference:
        B. McFee et al., librosa 0.11, `librosa.effects.split`.

    >>> speech_intervals(np.r_[np.zeros(8192), np.ones(8192), np.zeros(8192)].astype(np.float32)).tolist()
    [[7680, 17408]]
    """
    samples = np.atleast_2d(np.asarray(samples, np.float32))
    track = EnergyTrack(channels=samples.shape[0], frame_length=frame_length, hop_length=hop_length)
    track.add(samples)
    return track.intervals(top_db=top_db)
