"""Reverberation: the clip as it sounds from across a room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.signal import oaconvolve

from emovox.audio.types import Samples
from emovox.augment.bounds import RATE, levelled
from emovox.augment.config import Room
from emovox.schema.extras import require


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


SMALLEST, LARGEST = (3.0, 2.5, 2.4), (7.0, 6.0, 3.5)
"""Length, width and height in metres: from a study to a classroom."""

_MOST_REFLECTIONS = 25
"""Of an image. Takes 8 ms a room; all that belong to 0.6 s take 200 ms. What is left out is 18 to 30 dB down there."""


def simulate_room(*, shortest: float, longest: float, rng: np.random.Generator) -> Samples:
    """Simulate one room by the image method, with a talker 0.3 to 3 m from the microphone.

    Reflections beyond the 25th are left out, so that long decays end a little early.

    Args:
        shortest: seconds of decay by 60 dB, 0.15 or more.
        longest: the same, the other end of the range.
        rng: draws decay, size, positions.

    Returns:
        [n] float32 at 16 kHz.

    Raises:
        MissingExtraError: pyroomacoustics is not installed.

    Reference: Allen and Berkley, "Image method for efficiently simulating small-room acoustics", 1979.
    """
    require("pyroomacoustics", need="simulating rooms (augment.room)", extra="train")
    import pyroomacoustics

    size, decay = rng.uniform(SMALLEST, LARGEST), float(rng.uniform(shortest, longest))
    absorption, order = pyroomacoustics.inverse_sabine(decay, size)
    microphone = rng.uniform(0.5, size - 0.5)
    away = rng.standard_normal(3) * (1, 1, 0.3)
    distance = np.exp(rng.uniform(np.log(0.3), np.log(3)))
    talker = np.clip(microphone + distance * away / np.linalg.norm(away), 0.3, size - 0.3)
    walls = pyroomacoustics.Material(absorption)
    room: Any = pyroomacoustics.ShoeBox(size, fs=RATE, materials=walls, max_order=min(order, _MOST_REFLECTIONS))
    room.add_source(talker)
    room.add_microphone(microphone)
    room.compute_rir()
    return np.asarray(room.rir[0][0], np.float32)


def simulate_rooms(n: int, *, shortest: float, longest: float) -> tuple[Samples, ...]:
    """Simulate `n` rooms, always the same ones; more of them begin with those of fewer."""
    return tuple(
        simulate_room(shortest=shortest, longest=longest, rng=np.random.default_rng([0, room])) for room in range(n)
    )
