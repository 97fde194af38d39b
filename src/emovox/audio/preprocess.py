"""The reference recipe: 22,050 Hz, silence removed by energy, peak normalised; for analysis, not for `predict`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emovox.audio.framing import FrameBuffer
from emovox.audio.reader import AudioReader, open_audio
from emovox.audio.silence import HOP_LENGTH, TOP_DB, EnergyTrack, Intervals, speech_intervals
from emovox.audio.types import AudioInput, ChannelChoice, Samples

__all__ = ["peak_normalise", "preprocess", "preprocess_blocks", "speech_intervals", "trim_silence"]

SAMPLE_RATE = 22050
"""The reference guide's rate in Hz."""


def trim_silence(samples: Samples, *, top_db: float = TOP_DB) -> Samples:
    """Remove silence, also inside, and join what is left (`librosa.effects.trim` cuts the two ends only).

    Args:
        samples: [n] or [channels, n] float32; channels are cut alike.
        top_db: what counts as silence, in dB below the loudest frame, > 0.

    Returns:
        [m] or [channels, m], a copy, m <= n.

    >>> trim_silence(np.r_[np.zeros(8192), np.ones(8192), np.zeros(8192)].astype(np.float32)).size
    9728
    """
    kept = [samples[..., start:end] for start, end in speech_intervals(samples, top_db=top_db)]
    return np.concatenate([samples[..., :0], *kept], axis=-1)


def peak_normalise(samples: Samples) -> Samples:
    """Scale so that the largest magnitude over all channels is 1; silence stays as it is.

    Args:
        samples: [n] or [channels, n] float32.

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
        source: anything that `open_audio` takes, or samples [n] or [channels, n] that are at `sample_rate` already.
        sample_rate: rate of the result in Hz.
        channels: "mix", "split", or the index of a channel from 0.
        top_db: what counts as silence, in dB below the loudest frame; None keeps it.
        normalise: whether the peak of what is kept becomes 1.

    Returns:
        [channels, n] float32.

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
    """Do what `preprocess` does in bounded memory: one pass finds levels and peak, a second one cuts and scales.

    Args:
        source: as in `preprocess`.
        sample_rate: rate of the result in Hz.
        channels: "mix", "split", or the index of a channel from 0.
        top_db: what counts as silence, in dB below the loudest frame; None keeps it.
        normalise: whether the peak of what is kept becomes 1.
        block_seconds: how much to decode at once, > 0; changes nothing in the result.

    Yields:
        [channels, n] float32; joined, they are the result of `preprocess`.

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
    """First pass: what to keep, and the largest magnitude in it.

    Intervals begin and end on multiples of the hop, so one peak a hop is enough to know that of any choice of them.
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
