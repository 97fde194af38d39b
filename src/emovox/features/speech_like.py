"""Audio that behaves like speech where features are concerned, made by formula."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples

SYLLABLE = 0.35
"""Seconds from one voiced stretch to the next: about three syllables a second, slow but long enough for YIN's frame."""


def speech_like(seconds: float, *, sample_rate: int = 16000, seed: int = 0) -> Samples:
    """Make voiced stretches with a gliding, vibrating F0 of 117 to 243 Hz, hiss between them, and silence every fourth.

    Args:
        seconds: length, > 0.
        sample_rate: in Hz.
        seed: of the noise; the voice is the same for all.

    Returns:
        [n] float32 within ±1.

    >>> speech_like(0.5).shape
    (8000,)
    """
    count = round(seconds * sample_rate)
    rng = np.random.default_rng(seed)
    times = np.arange(count) / sample_rate
    voice = _voice(times, sample_rate=sample_rate)
    place = (times / SYLLABLE) % 1
    opening = np.clip(np.minimum(place, 0.8 - place) / 0.1, 0, 1)
    hiss = rng.standard_normal(count) * np.where(place > 0.85, 0.05, 0.003)
    speaking = (times / SYLLABLE).astype(np.int64) % 4 != 3
    samples: Samples = np.clip((0.25 * opening * voice + hiss) * speaking, -1, 1).astype(np.float32)
    return samples


def talk_like(seconds: float, *, sample_rate: int = 16000) -> Samples:
    """Make syllables without a pause, four a second, of the same gliding voice: one long speech region.

    Args:
        seconds: length, > 0.
        sample_rate: in Hz.

    Returns:
        [n] float32 within ±1.

    >>> talk_like(0.5).shape
    (8000,)
    """
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    voice = _voice(times, sample_rate=sample_rate)
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * times)
    hiss = 1e-3 * np.random.default_rng(0).standard_normal(times.size)
    samples: Samples = np.clip(0.3 * syllables * voice + hiss, -1, 1).astype(np.float32)
    return samples


def _voice(times: npt.NDArray[np.float64], *, sample_rate: int) -> npt.NDArray[np.float64]:
    f0 = 180 + 60 * np.sin(2 * np.pi * 0.4 * times) + 3 * np.sin(2 * np.pi * 5.5 * times)
    phase = 2 * np.pi * np.cumsum(f0) / sample_rate
    return sum((np.sin(harmonic * phase) / harmonic for harmonic in range(1, 13)), start=np.zeros(times.size))
