"""Other borders: a little cut away or added at both ends, as another detector would have cut the clip."""

from __future__ import annotations

import math

import numpy as np

from emovox.audio.types import Samples
from emovox.augment.bounds import RATE, SHORTEST, bounded
from emovox.augment.config import Shift

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
