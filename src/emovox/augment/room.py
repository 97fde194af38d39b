"""Reverberation: the clip as it sounds from across a room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import oaconvolve

from emovox.audio.types import Samples
from emovox.augment.bounds import levelled
from emovox.augment.config import Room


def in_room(samples: Samples, response: Samples) -> Samples:
    """Convolve with the impulse response of a room.

    The direct sound, which is the response's largest sample, stays where it was: without that, responses recorded with
    a delay would move the clip. The level stays too, so that a room does not sound like a calmer speaker. The
    reverberation after the end of the clip is cut off.

    Args:
        samples: [n] float32.
        response: [m] float32, not all zero.

    Returns:
        [n] float32.

    >>> in_room(np.array([0, 0.5, 0], np.float32), np.array([0, 0, 1, 0], np.float32)).tolist()
    [0.0, 0.5, 0.0]
    """
    direct = int(np.abs(response).argmax())
    return levelled(oaconvolve(samples, response)[direct : direct + len(samples)], samples)


def random_room(
    samples: Samples,
    config: Room,
    *,
    measured: Sequence[Samples],
    simulated: Sequence[Samples],
    rng: np.random.Generator,
) -> Samples:
    """Put [n] into a measured room with the probability `config.measured`, else into a simulated one."""
    responses = measured if rng.random() < config.measured else simulated
    return in_room(samples, responses[int(rng.integers(len(responses)))])
