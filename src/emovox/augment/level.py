"""Level and colour: what differs between microphones and distances, and is no emotion."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import lfilter

from emovox.audio.types import Samples
from emovox.augment.bounds import RATE, bounded, levelled
from emovox.augment.config import Gain, Tilt

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
