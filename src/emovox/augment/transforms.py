"""Small changes of a clip: gain and tilt, a shift in time, another speed."""

from __future__ import annotations

import math

import numpy as np
import soxr
from scipy.signal import lfilter

from emovox.audio.types import Samples
from emovox.augment.bounds import RATE, SHORTEST, bounded, levelled
from emovox.augment.config import Gain, Shift, Speed, Tilt

PIVOT = 1000.0
"""Hz; a tilt leaves this frequency as loud as it was."""


def change_gain(samples: Samples, db: float) -> Samples:
    """Make [n] `db` louder, at most up to full scale; below 0 quieter.

    >>> change_gain(np.array([0.5, -0.8], np.float32), 6).round(3).tolist()
    [0.625, -1.0]
    """
    return bounded(samples * np.float32(10 ** (db / 20)))


def random_gain(samples: Samples, config: Gain, rng: np.random.Generator) -> Samples:
    """Change the level of [n] by a random number of dB."""
    return change_gain(samples, float(rng.uniform(config.low_db, config.high_db)))


def tilt(samples: Samples, db: float) -> Samples:
    """Raise the highs against the lows by `db` with a first-order shelf around 1 kHz; the level stays.

    H(s) = (√g s + 1) / (s + √g) in units of the pivot, g = 10^(db / 20): 1/√g at 0 Hz, 1 at the pivot, √g far above;
    bilinear transform with the pivot in its place.

    Args:
        samples: [n] float32.
        db: below 0 duller.

    Returns:
        [n] float32.
    """
    root, pivot = 10 ** (db / 40), math.tan(math.pi * PIVOT / RATE)
    filtered = lfilter(
        np.array([root + pivot, pivot - root], np.float32),
        np.array([1 + root * pivot, root * pivot - 1], np.float32),
        samples,
    )
    return levelled(filtered, samples)


def random_tilt(samples: Samples, config: Tilt, rng: np.random.Generator) -> Samples:
    """Tilt the spectrum of [n] by a random number of dB."""
    return tilt(samples, float(rng.uniform(config.low_db, config.high_db)))


_FRAME = 320
"""20 ms, the frame whose quietest gives the noise floor."""


def shift(samples: Samples, *, start: int, end: int, rng: np.random.Generator) -> Samples:
    """Move the borders of a clip.

    Added time is white noise as loud as the quietest 20 ms of the clip: digital silence occurs in no recording, and a
    network would learn it as a mark of the copies.

    Args:
        samples: [n] float32.
        start: samples to add before the beginning, or, below 0, to cut away there.
        end: the same after the end.
        rng: for the noise.

    Returns:
        [n + start + end] float32; cuts are shortened, that at the end first, where less than 0.3 s would be left.

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
    """Move both borders of [n] by up to `config.seconds`, outwards or inwards."""
    most = config.seconds * RATE
    start, end = (round(float(by)) for by in rng.uniform(-most, most, 2))
    return shift(samples, start=start, end=end, rng=rng)


def _quietest(samples: Samples) -> float:
    """Mean square of the quietest frame of [n]."""
    n = max(1, len(samples) // _FRAME)
    frames = samples[: n * _FRAME].reshape(n, -1)
    return float(np.einsum("ij,ij->i", frames, frames).min()) / frames.shape[1]


def change_speed(samples: Samples, factor: float) -> Samples:
    """Play [n] `factor` times as fast, by resampling: all frequencies are multiplied by it.

    Args:
        samples: [n] float32.
        factor: from 0.5 to 2.

    Returns:
        [about n / factor] float32.

    >>> len(change_speed(np.zeros(16000, np.float32), 1.25))
    12800
    """
    return bounded(soxr.resample(samples, RATE, RATE / factor))


def random_speed(samples: Samples, config: Speed, rng: np.random.Generator) -> Samples:
    """Play [n] at a random speed; a clip that would fall below 0.3 s gets just that long, or keeps its length."""
    factor = float(rng.uniform(config.lowest, config.highest))
    return change_speed(samples, min(factor, max(1.0, len(samples) / SHORTEST)))
