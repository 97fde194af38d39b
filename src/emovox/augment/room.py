"""Reverberation by measured or simulated room impulse responses."""

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
    """Convolve a clip with the impulse response of a room.

    The direct sound is the largest sample of the response. Its delay is removed, since otherwise responses recorded
    with a delay would shift the clip. The level stays, so that a room does not sound like a calmer speaker. The
    reverberation after the end of the clip is cut off.

    Args:
        samples: shape [n], float32.
        response: shape [m], float32, not all zero.

    Returns:
        Shape [n], float32.

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
    """Convolve with a measured response with probability `config.measured`, else with a simulated one.

    Args:
        samples: shape [n], float32.
        config: the table [augment.room].
        measured: responses of shape [m] each.
        simulated: responses of shape [m] each.
        rng: draws the response.

    Returns:
        Shape [n], float32.
    """
    responses = measured if rng.random() < config.measured else simulated
    return in_room(samples, responses[int(rng.integers(len(responses)))])


SMALLEST, LARGEST = (3.0, 2.5, 2.4), (7.0, 6.0, 3.5)
"""Length, width and height in metres of simulated rooms: from a study to a classroom."""

_MOST_REFLECTIONS = 25
"""Highest reflection order of an image source. A room then takes 8 ms; all reflections within 0.6 s take 200 ms. The
reflections left out are 18 to 30 dB down."""


def simulate_room(*, shortest: float, longest: float, rng: np.random.Generator) -> Samples:
    """Simulate one room by the image method, with a talker 0.3 to 3 m from the microphone.

    Reflections beyond the 25th order are left out, so long decays end a little early.

    Args:
        shortest: shortest decay by 60 dB in seconds, >= 0.15.
        longest: longest decay by 60 dB in seconds.
        rng: draws decay, size and positions.

    Returns:
        The impulse response, shape [n], float32 at 16 kHz.

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
    """Simulate the first `n` rooms of a fixed sequence.

    Args:
        n: number of rooms.
        shortest: shortest decay by 60 dB in seconds, >= 0.15.
        longest: longest decay by 60 dB in seconds.

    Returns:
        `n` impulse responses of shape [m] each, float32 at 16 kHz.
    """
    return tuple(
        simulate_room(shortest=shortest, longest=longest, rng=np.random.default_rng([0, room])) for room in range(n)
    )
