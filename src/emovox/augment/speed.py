"""Faster and slower: other tempo, other pitch, other size of the speaker."""

from __future__ import annotations

import numpy as np
import soxr

from emovox.audio.types import Samples
from emovox.augment.bounds import RATE, SHORTEST, bounded
from emovox.augment.config import Speed


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
