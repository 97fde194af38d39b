"""Generated sounds, [n] float32 at `RATE`: tones and voices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emovox.audio.types import Samples

RATE = 16000
"""Sample rate in Hz of the toy models and of all sounds here."""

HARMONICS = 15
"""Number of harmonics of a voice without formants."""

FORMANT_HZ, HIGHEST_HARMONIC_HZ = 250.0, 3500.0
"""Width of a formant, and the highest harmonic of a voice with formants, both in Hz."""


def tone(hz: float, seconds: float = 1.0, *, level: float = 0.3) -> Samples:
    """Return a sine at `RATE`.

    Args:
        hz: frequency in Hz.
        seconds: length, > 0.
        level: amplitude in [0, 1].

    Returns:
        [n] float32.
    """
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def speech(
    f0: float,
    *,
    seconds: float,
    level: float = 0.3,
    glide: float = 0.0,
    formants: Sequence[float] = (),
    tempo: float = 4.0,
    depth: float = 0.9,
    noise: float = 1e-4,
    seed: int = 7,
) -> Samples:
    """Return a voice-like sound at `RATE` that voice activity detection takes for speech.

    It consists of harmonics that rise and fall in syllables, and of white noise.

    Args:
        f0: mean pitch in Hz, > 0.
        seconds: length, > 0.
        level: amplitude, about that of the peak.
        glide: largest deviation of the pitch from `f0`, as a share of it.
        formants: resonances in Hz; without any, harmonic k has the amplitude 1 / k.
        tempo: syllables per second.
        depth: drop of the amplitude between syllables, 0 to 1; 1 leaves pauses.
        noise: standard deviation of the white noise.
        seed: of the noise and of the phase of the glide.

    Returns:
        [n] float32.
    """
    time = np.arange(round(seconds * RATE)) / RATE
    rng = np.random.default_rng(seed)
    hz = f0 * (1 + glide * np.sin(2 * np.pi * (0.7 * time + rng.random())))
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    last = int(HIGHEST_HARMONIC_HZ / f0) if formants else HARMONICS
    voice = sum(_weight(k, k * hz, formants) * np.sin(k * phase) for k in range(1, last + 1))
    syllables = 1 - depth * (0.5 + 0.5 * np.cos(2 * np.pi * tempo * time))
    if depth >= 1:
        syllables = np.clip(2 * syllables - 1, 0, None)
    return np.asarray(level * voice * syllables / 2 + noise * rng.standard_normal(len(time)), np.float32)


def _weight(number: int, hz: Any, formants: Sequence[float]) -> Any:
    """Return the amplitude [n] of harmonic `number` with the frequency `hz` [n] at each sample."""
    if not formants:
        return 1 / number
    return (0.02 + sum(np.exp(-(((hz - formant) / FORMANT_HZ) ** 2)) for formant in formants)) / number**0.5
