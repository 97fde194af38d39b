"""Changes by one parameter: gain, shift in time, speed."""

from __future__ import annotations

import math

import numpy as np
import soxr

from emovox.audio.types import Samples
from emovox.augment.bounds import RATE, SHORTEST, bounded
from emovox.augment.config import Gain, Shift, Speed


def change_gain(samples: Samples, db: float) -> Samples:
    """Change the level by `db` dB, limited to full scale; samples and result have shape [n].

    >>> change_gain(np.array([0.5, -0.8], np.float32), 6).round(3).tolist()
    [0.625, -1.0]
    """
    return bounded(samples * np.float32(10 ** (db / 20)))


def random_gain(samples: Samples, config: Gain, rng: np.random.Generator) -> Samples:
    """Change the level by a random number of dB; samples and result have shape [n]."""
    return change_gain(samples, float(rng.uniform(config.low_db, config.high_db)))


_FRAME = 320
"""Frame length in samples (20 ms); the quietest frame gives the noise floor."""


def shift(samples: Samples, *, start: int, end: int, rng: np.random.Generator) -> Samples:
    """Move the start and the end of a clip.

    Added time is white noise at the level of the quietest 20 ms of the clip. Digital silence would not do: recordings
    have none, and a network would learn it as a mark of augmented copies.

    Args:
        samples: shape [n], float32.
        start: samples to add at the start; below 0, to cut.
        end: samples to add at the end; below 0, to cut.
        rng: generator of the noise.

    Returns:
        Shape [n + start + end], float32; cuts are shortened, first the one at the end, to leave 0.3 s.

    >>> shift(np.ones(4802, np.float32), start=-1, end=-9, rng=np.random.default_rng(0)).shape
    (4800,)
    """
    spare = max(0, len(samples) - SHORTEST)
    first = min(max(-start, 0), spare)
    last = min(max(-end, 0), spare - first)
    level = math.sqrt(_quietest(samples))
    before, after = (level * rng.standard_normal(max(added, 0), np.float32) for added in (start, end))
    return bounded(np.concatenate([before, samples[first : len(samples) - last], after]))


def random_shift(samples: Samples, config: Shift, rng: np.random.Generator) -> Samples:
    """Move start and end of samples of shape [n] by up to `config.seconds`, outwards or inwards."""
    most = config.seconds * RATE
    start, end = (round(float(by)) for by in rng.uniform(-most, most, 2))
    return shift(samples, start=start, end=end, rng=rng)


def _quietest(samples: Samples) -> float:
    """Return the mean square of the quietest frame of samples of shape [n]."""
    n = max(1, len(samples) // _FRAME)
    frames = samples[: n * _FRAME].reshape(n, -1)
    return float(np.einsum("ij,ij->i", frames, frames).min()) / frames.shape[1]


def change_speed(samples: Samples, factor: float) -> Samples:
    """Change the speed by resampling; all frequencies are multiplied by `factor`.

    Args:
        samples: shape [n], float32.
        factor: 0.5 to 2; above 1 is faster.

    Returns:
        Shape [m], float32, m about n / factor.

    >>> len(change_speed(np.zeros(16000, np.float32), 1.25))
    12800
    """
    return bounded(soxr.resample(samples, RATE, RATE / factor))


def random_speed(samples: Samples, config: Speed, rng: np.random.Generator) -> Samples:
    """Change the speed of samples of shape [n] by a random factor.

    A clip that would become shorter than 0.3 s becomes 0.3 s long, or keeps its length if it is shorter already.
    """
    factor = float(rng.uniform(config.lowest, config.highest))
    return change_speed(samples, min(factor, max(1.0, len(samples) / SHORTEST)))
