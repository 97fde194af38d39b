"""Generated audio for the tests of voice activity: a talker made of harmonics and formants, and what is no talker."""

from __future__ import annotations

import numpy as np

from emovox.audio.types import Samples

RATE = 16000


def at_level(samples: np.ndarray[tuple[int], np.dtype[np.float64]], dbfs: float) -> Samples:
    """Scale to an RMS level in dBFS."""
    rms = np.sqrt(np.mean(samples**2))
    return np.asarray(samples * (10 ** (dbfs / 20) / rms), np.float32)


def talk(seconds: float, *, f0: float = 140.0, dbfs: float = -30.0, seed: int = 0) -> Samples:
    """Syllables without a break: harmonics of a moving pitch under three formants, four syllables a second."""
    rng = np.random.default_rng(seed)
    clock = np.arange(round(seconds * RATE)) / RATE
    pitch = f0 * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * clock + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    wave = np.zeros(clock.size)
    for harmonic in range(1, int(3500 / f0)):
        weight = sum(np.exp(-(((harmonic * f0 - formant) / 250) ** 2)) for formant in (550, 1500, 2500))
        wave += (0.02 + weight) / harmonic**0.5 * np.cos(harmonic * phase)
    syllables = 0.03 + np.abs(np.sin(2 * np.pi * 2 * clock)) ** 2
    return at_level(wave * syllables, dbfs)


def noise(seconds: float, *, dbfs: float = -70.0, seed: int = 0) -> Samples:
    """White noise."""
    return at_level(np.random.default_rng(seed).standard_normal(round(seconds * RATE)), dbfs)


def clicks(seconds: float, *, apart: float = 0.31) -> Samples:
    """Single samples of half of full scale."""
    made = np.zeros(round(seconds * RATE), np.float32)
    made[:: round(apart * RATE)] = 0.5
    return made


def scene(*parts: Samples, floor_dbfs: float = -70.0, seed: int = 1) -> Samples:
    """Put parts one after another into a room with a noise floor."""
    joined = np.concatenate(parts)
    return joined + noise(joined.size / RATE, dbfs=floor_dbfs, seed=seed)


def pause(seconds: float) -> Samples:
    """Nothing."""
    return np.zeros(round(seconds * RATE), np.float32)
