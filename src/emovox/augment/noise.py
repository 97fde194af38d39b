"""Background noise at a given signal-to-noise ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from emovox.audio.types import Samples
from emovox.augment.bounds import RATE, bounded, power
from emovox.augment.config import Noise

_EXPONENTS, _SPEEDS = (0.0, 2.0), (0.8, 1.25)
"""Of coloured noise, from white to brown; of the voices in babble."""


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


def coloured_noise(n: int, rate: int, rng: np.random.Generator, *, exponent: float) -> Samples:
    """Return noise of shape [n], float32, with a standard deviation of 1, and without power below 20 Hz if coloured."""
    white = rng.standard_normal(n)
    if not exponent or n < 2:
        return white.astype(np.float32)
    hertz = np.fft.rfftfreq(n, 1 / rate)
    gains = np.where(hertz >= 20, np.maximum(hertz, 20) ** (-exponent / 2), 0)
    noise = np.fft.irfft(np.fft.rfft(white) * gains, n)
    return np.asarray(noise / max(float(noise.std()), 1e-12), np.float32)


def own_babble(samples: Samples, rng: np.random.Generator) -> Samples:
    """Return 4 to 7 voices that speak at once: the clip itself, backwards, from random positions, at other speeds.

    Voices of other clips would bring test speakers into training copies, which all folds share.

    Args:
        samples: shape [n], float32, n >= 1.
        rng: generator of the voices.

    Returns:
        Shape [n], float32.
    """
    voices = np.zeros(len(samples), np.float32)
    for _ in range(int(rng.integers(4, 8))):
        places = (rng.uniform(*_SPEEDS) * np.arange(len(samples)) + rng.integers(len(samples))) % len(samples)
        voices += samples[::-1][places.astype(np.int64)]
    return voices


def random_noise(samples: Samples, config: Noise, *, noises: Sequence[Samples], rng: np.random.Generator) -> Samples:
    """Add a random noise at a random ratio; samples and result have shape [n]."""
    snr = float(rng.uniform(config.snr_low, config.snr_high))
    kind = rng.random() if config.synthetic else 1.0
    if kind < config.coloured:
        return at_snr(samples, coloured_noise(len(samples), RATE, rng, exponent=rng.uniform(*_EXPONENTS)), snr)
    if kind < config.synthetic:
        return at_snr(samples, own_babble(samples, rng), snr)
    noise = noises[int(rng.integers(len(noises)))]
    return at_snr(samples, np.roll(noise, -int(rng.integers(len(noise)))), snr)
