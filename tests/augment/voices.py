"""Clips and folders of noises to change, all generated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from emovox.audio.types import Samples

RATE = 16000


def voice(seconds: float = 2.0, *, level: float = 0.1, seed: int = 0) -> Samples:
    """[n]: a buzz of 150 Hz in syllables, with breath up to 8 kHz; root mean square `level`."""
    n = round(seconds * RATE)
    time = np.arange(n) / RATE
    buzz = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 30))
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * time)
    samples = syllables * (buzz + 0.3 * np.random.default_rng(seed).standard_normal(n))
    return np.asarray(level * samples / np.sqrt(np.mean(samples**2)), np.float32)


def tone(hz: float, seconds: float = 1.0, *, level: float = 0.3) -> Samples:
    """[n]: a sine."""
    return np.asarray(level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE), np.float32)


def hiss(seconds: float = 1.0, *, level: float = 0.1, seed: int = 1) -> Samples:
    """[n]: white noise."""
    return np.asarray(level * np.random.default_rng(seed).standard_normal(round(seconds * RATE)), np.float32)


def rms(samples: Samples) -> float:
    """Root mean square of [n]."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def decibels(ratio: float) -> float:
    """Ratio of two levels in dB."""
    return float(20 * np.log10(ratio))


def level_between(samples: Samples, low: float, high: float) -> float:
    """Root mean square of what lies from `low` to `high` Hz."""
    spectrum = np.fft.rfft(samples.astype(np.float64) * np.hanning(len(samples)))
    hz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(np.sqrt(np.mean(np.abs(spectrum[(hz >= low) & (hz < high)]) ** 2)))


def write_tree(folder: Path, files: Mapping[str, Samples | bytes]) -> Path:
    """Write sounds, and bytes that are none, under their names."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            soundfile.write(path, content, RATE)
    return folder
