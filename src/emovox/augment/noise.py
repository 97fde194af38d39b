"""Background noise at a given signal-to-noise ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from emovox.audio.types import Samples
from emovox.augment.bounds import bounded, power
from emovox.augment.config import Noise


def at_snr(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """Add noise so that the mean power of the clip is `snr_db` above that of the noise.

    Both means are over the whole clip, pauses included. In a clip with long pauses the voice itself is therefore more
    than `snr_db` above the noise. If the sum would exceed [-1, 1], voice and noise are attenuated together, and the
    ratio holds.

    Args:
        samples: shape [n], float32.
        noise: shape [m], float32, m >= 1; repeated or cut to n.
        snr_db: signal-to-noise ratio in dB.

    Returns:
        Shape [n], float32; the clip itself if clip or noise is silent.

    >>> quiet = at_snr(np.full(4, 0.5, np.float32), np.array([1, -1], np.float32), 20)
    >>> [f"{value:.2f}" for value in quiet]
    ['0.55', '0.45', '0.55', '0.45']
    """
    noise = np.resize(noise, len(samples))
    noise_power, voice_power = power(noise), power(samples)
    if noise_power == 0 or voice_power == 0:
        return samples
    return bounded(samples + noise * np.float32(math.sqrt(voice_power / noise_power) * 10 ** (-snr_db / 20)))


def random_noise(samples: Samples, config: Noise, *, noises: Sequence[Samples], rng: np.random.Generator) -> Samples:
    """Add a random noise, from a random position in it, at a random ratio; samples and result have shape [n]."""
    snr = float(rng.uniform(config.snr_low, config.snr_high))
    noise = noises[int(rng.integers(len(noises)))]
    return at_snr(samples, np.roll(noise, -int(rng.integers(len(noise)))), snr)
