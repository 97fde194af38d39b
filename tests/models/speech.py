"""Generated audio for the front-end tests: voice-like, and the inputs that break careless code."""

from __future__ import annotations

import numpy as np

from emovox.audio.types import Samples

RATE = 16000
LONG_ENOUGH = 8000


def speech(n: int, *, seed: int = 0) -> Samples:
    """[n]: gliding harmonics under a moving formant, with pauses and breath noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / RATE
    hz = 110 + 45 * (seed % 4) + 15 * np.sin(2 * np.pi * 0.7 * t + seed)
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    formant = 700 + 300 * np.sin(2 * np.pi * 1.1 * t)
    voice = sum(np.exp(-((k * hz - formant) ** 2) / 6e5) * np.sin(k * phase) for k in range(1, 25))
    loudness = np.clip(np.sin(2 * np.pi * 1.7 * t + seed), 0, None)
    return np.asarray(0.15 * loudness * voice + rng.normal(0, 0.001, n), np.float32)


def edge_cases() -> dict[str, Samples]:
    """Silence, an impulse, an offset, a full-scale square wave and white noise, [8000] each."""
    impulse = np.zeros(LONG_ENOUGH, np.float32)
    impulse[3333] = 1.0
    square = np.where(np.arange(LONG_ENOUGH) % 80 < 40, 1.0, -1.0)
    noise = np.random.default_rng(5).normal(0, 0.1, LONG_ENOUGH)
    return {
        "zeros": np.zeros(LONG_ENOUGH, np.float32),
        "impulse": impulse,
        "offset": np.full(LONG_ENOUGH, 0.25, np.float32),
        "square": square.astype(np.float32),
        "noise": noise.astype(np.float32),
    }
