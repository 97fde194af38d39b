"""Background sound at a given distance in level from the voice."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from emovox.audio.types import Samples
from emovox.augment.bounds import bounded, power
from emovox.augment.config import Noise


def at_snr(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """Add a noise so that the clip's mean power is `snr_db` above the noise's.

    Both means are over the whole clip, its pauses included: in a clip with long pauses the voice itself stands further
    above the noise than the figure says. Where the sum would leave [-1, 1], voice and noise are turned down together,
    so that the ratio holds.

    Args:
        samples: [n] float32.
        noise: [m] float32, m >= 1; repeated or cut to n.
        snr_db: signal-to-noise ratio in dB.

    Returns:
        [n] float32; the clip itself where clip or noise is silent.

    >>> quiet = at_snr(np.full(4, 0.5, np.float32), np.array([1, -1], np.float32), 20)
    >>> [f"{value:.2f}" for value in quiet]
    ['0.55', '0.45', '0.55', '0.45']
    """
    behind = np.resize(noise, len(samples))
    present, voice = power(behind), power(samples)
    if present == 0 or voice == 0:
        return samples
    return bounded(samples + behind * np.float32(math.sqrt(voice / present) * 10 ** (-snr_db / 20)))


def random_noise(samples: Samples, config: Noise, *, noises: Sequence[Samples], rng: np.random.Generator) -> Samples:
    """Put a random noise behind [n], from a random place in it, at a random ratio."""
    snr = float(rng.uniform(config.snr_low, config.snr_high))
    noise = noises[int(rng.integers(len(noises)))]
    return at_snr(samples, np.roll(noise, -int(rng.integers(len(noise)))), snr)
