"""The preprocessing of the reference guide: 22,050 Hz, silence removed by energy, peak normalised.

For analysis; `predict` does not use it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from emovox.audio.framing import FrameBuffer
from emovox.audio.reader import AudioReader, open_audio
from emovox.audio.types import AudioInput, ChannelChoice, Samples

FRAME_LENGTH = 2048
HOP_LENGTH = 512
TOP_DB = 20.0
"""Defaults of the reference guide for 22,050 Hz: 93 ms frames every 23 ms, threshold 20 dB below the loudest frame."""

_SMALLEST = 1e-5
"""Floor of an amplitude before its logarithm (-100 dB), as in `librosa.amplitude_to_db`."""

_CHUNK = 2**16
"""Samples squared at once. Frames overlap fourfold, so the squares of a long recording would not fit into memory."""

Intervals = npt.NDArray[np.int64]
"""Intervals of shape [k, 2]: start and end in samples, ascending and disjoint."""


class EnergyTrack:
    """The energy of the frames of a recording, collected block by block; frames are centred and padded with zeros.

    The block size does not change a bit of the result, since every frame is summed separately.

    Args:
        channels: number of channels of the blocks.
        frame_length: samples per frame, >= 1.
        hop_length: samples between the centres of frames, >= 1.
    """

    def __init__(self, *, channels: int, frame_length: int = FRAME_LENGTH, hop_length: int = HOP_LENGTH) -> None:
        self._buffer = FrameBuffer(channels=channels, length=frame_length, hop=hop_length)
        self._padding = np.zeros((channels, frame_length // 2), np.float32)
        self._hop = hop_length
        self._n = 0
        self._powers = [self._power(self._padding)]

    def add(self, samples: Samples) -> None:
        """Add the next samples, shape [channels, n], float32, n >= 0."""
        self._n += samples.shape[1]
        for start in range(0, samples.shape[1], _CHUNK):
            self._powers.append(self._power(samples[:, start : start + _CHUNK]))

    def intervals(self, *, top_db: float = TOP_DB) -> Intervals:
        """Close the track and return the intervals that are louder than `top_db` below its loudest frame.

        Args:
            top_db: threshold below the loudest frame in dB, > 0.

        Returns:
            Shape [k, 2]: start and end in samples. A frame is loud if it is loud in any channel. A recording of
            constant level, digital silence included, is one interval.
        """
        power = np.concatenate([*self._powers, self._power(self._padding)], axis=1)
        if self._n == 0:
            return np.empty((0, 2), np.int64)
        loud = (_decibels(power) > -top_db).any(axis=0)
        edges = np.flatnonzero(np.diff(loud, prepend=False, append=False))
        return np.minimum(edges * self._hop, self._n).reshape(-1, 2)

    def _power(self, samples: Samples) -> npt.NDArray[np.float32]:
        # Frames are contiguous: the order of summation is librosa's, and so are the decisions at the threshold.
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
    """Return the intervals that are louder than `top_db` below the loudest frame.

    The threshold is relative to the loudest frame of the whole recording, so one bang makes speech "silent". For live
    or unknown audio use the voice activity detector of `emovox.runtime`.

    Args:
        samples: shape [n] or [channels, n], float32.
        top_db: threshold below the loudest frame in dB, > 0.
        frame_length: samples per frame, >= 1.
        hop_length: samples between the centres of frames, >= 1.

    Returns:
        Shape [k, 2], int64: start and end in samples, equal to `librosa.effects.split` for the same arguments.

    Raises:
        AudioError: `frame_length` or `hop_length` is below 1.

    Reference:
        B. McFee et al., librosa 0.11, `librosa.effects.split`.

    >>> speech_intervals(np.r_[np.zeros(8192), np.ones(8192), np.zeros(8192)].astype(np.float32)).tolist()
    [[7680, 17408]]
    """
    samples = np.atleast_2d(np.asarray(samples, np.float32))
    track = EnergyTrack(channels=samples.shape[0], frame_length=frame_length, hop_length=hop_length)
    track.add(samples)
    return track.intervals(top_db=top_db)


__all__ = ["peak_normalise", "preprocess", "preprocess_blocks", "speech_intervals", "trim_silence"]

SAMPLE_RATE = 22050
"""Sample rate of the reference guide in Hz."""


def trim_silence(samples: Samples, *, top_db: float = TOP_DB) -> Samples:
    """Remove silence at the ends and inside, and join the rest (`librosa.effects.trim` cuts only the ends).

    Args:
        samples: shape [n] or [channels, n], float32; all channels are cut at the same places.
        top_db: threshold of silence in dB below the loudest frame, > 0.

    Returns:
        A copy of shape [m] or [channels, m], m <= n.

    >>> trim_silence(np.r_[np.zeros(8192), np.ones(8192), np.zeros(8192)].astype(np.float32)).size
    9728
    """
    kept = [samples[..., start:end] for start, end in speech_intervals(samples, top_db=top_db)]
    return np.concatenate([samples[..., :0], *kept], axis=-1)


def peak_normalise(samples: Samples) -> Samples:
    """Scale so that the largest magnitude over all channels is 1; silence stays unchanged.

    Args:
        samples: shape [n] or [channels, n], float32.

    Returns:
        A new array of the same shape, in [-1, 1].

    >>> peak_normalise(np.array([0.0, -0.25, 0.125], np.float32)).tolist()
    [0.0, -1.0, 0.5]
    """
    return samples * _gain(float(np.abs(samples).max(initial=0.0)))


def preprocess(
    source: AudioInput | Samples,
    *,
    sample_rate: int = SAMPLE_RATE,
    channels: ChannelChoice = "mix",
    top_db: float | None = TOP_DB,
    normalise: bool = True,
) -> Samples:
    """Resample, remove silence and normalise the peak, as the reference guide does.

    Args:
        source: any source of `open_audio`, or samples of shape [n] or [channels, n] at `sample_rate`.
        sample_rate: rate of the result in Hz.
        channels: "mix", "split", or the index of a channel from 0.
        top_db: threshold of silence in dB below the loudest frame; None keeps silence.
        normalise: whether to scale the peak of the kept samples to 1.

    Returns:
        Shape [channels, n], float32.

    Raises:
        AudioError: as in `open_audio` and `AudioReader.blocks`.
    """
    blocks = list(
        preprocess_blocks(source, sample_rate=sample_rate, channels=channels, top_db=top_db, normalise=normalise)
    )
    return np.concatenate(blocks, axis=1) if blocks else np.empty((1, 0), np.float32)


def preprocess_blocks(
    source: AudioInput | Samples,
    *,
    sample_rate: int = SAMPLE_RATE,
    channels: ChannelChoice = "mix",
    top_db: float | None = TOP_DB,
    normalise: bool = True,
    block_seconds: float = 10.0,
) -> Iterator[Samples]:
    """Yield the result of `preprocess` in blocks, in bounded memory.

    The first pass finds levels and the peak; the second pass cuts and scales.

    Args:
        source: see `preprocess`.
        sample_rate: rate of the result in Hz.
        channels: "mix", "split", or the index of a channel from 0.
        top_db: threshold of silence in dB below the loudest frame; None keeps silence.
        normalise: whether to scale the peak of the kept samples to 1.
        block_seconds: length of a decoded block, > 0; it does not change the result.

    Yields:
        Blocks of shape [channels, n], float32; joined, they equal the result of `preprocess`.

    Raises:
        AudioError: as in `open_audio` and `AudioReader.blocks`.
    """
    given: AudioInput = (source, sample_rate) if isinstance(source, np.ndarray) else source
    with open_audio(given, sample_rate=sample_rate, channels=channels, block_seconds=block_seconds) as reader:
        if top_db is None and not normalise:
            yield from reader.blocks()
            return
        intervals, peak = _survey(reader, top_db)
        gain = _gain(peak) if normalise else np.float32(1)
        position = 0
        for block in reader.blocks():
            for start, end in intervals[(intervals[:, 0] < position + block.shape[1]) & (intervals[:, 1] > position)]:
                yield block[:, max(start - position, 0) : end - position] * gain
            position += block.shape[1]


def _survey(reader: AudioReader, top_db: float | None) -> tuple[Intervals, float]:
    """Return the intervals to keep and the largest magnitude in them: the first pass.

    Intervals begin and end on multiples of the hop, so one peak per hop gives the peak of any set of intervals.
    """
    track = EnergyTrack(channels=reader.channels)
    hops = FrameBuffer(channels=reader.channels, length=HOP_LENGTH, hop=HOP_LENGTH)
    peaks, n = [], 0
    for block in reader.blocks():
        track.add(block)
        peaks.append(np.abs(hops.push(block)).max(axis=(0, 2)))
        n += block.shape[1]
    peak = np.concatenate([*peaks, [np.abs(hops.rest).max(initial=0.0)]])
    intervals = np.array([[0, n]]) if top_db is None else track.intervals(top_db=top_db)
    kept = (peak[start // HOP_LENGTH : -(-end // HOP_LENGTH)].max(initial=0.0) for start, end in intervals)
    return intervals, float(max(kept, default=0.0))


def _gain(peak: float) -> np.float32:
    return np.float32(1 / peak) if peak > 0 else np.float32(1)
