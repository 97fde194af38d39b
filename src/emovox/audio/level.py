"""A level meter for live audio."""

from __future__ import annotations

import math
import threading
from typing import NamedTuple

import numpy as np

from emovox.audio.types import Samples

FLOOR_DB = -96.0
"""Lowest level in dB of full scale, also that of silence: about one step of 16-bit audio."""


class Level(NamedTuple):
    """Root mean square and largest absolute sample, in dB of full scale, from `FLOOR_DB` to about 0."""

    mean_db: float
    peak_db: float


class LevelMeter:
    """Measures the level in dB of full scale between two calls of `read`; one thread may feed while another reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._energy, self._count, self._peak = 0.0, 0, 0.0
        self.silent = 0
        """Number of consecutive samples that are exactly 0: a muted microphone, or one without permission."""

    def feed(self, samples: Samples) -> None:
        """Add the next samples, shape [channels, n], float32."""
        energy, peak = float(np.vdot(samples, samples)), float(np.abs(samples).max(initial=0.0))
        with self._lock:
            self._energy += energy
            self._count += samples.size
            self._peak = max(self._peak, peak)
            self.silent = 0 if peak else self.silent + samples.shape[1]

    def read(self) -> Level | None:
        """Return the level in dB since the last call; None if no audio has arrived."""
        with self._lock:
            energy, count, peak = self._energy, self._count, self._peak
            self._energy, self._count, self._peak = 0.0, 0, 0.0
        return Level(_db(energy / count, 10), _db(peak, 20)) if count else None


def _db(value: float, factor: int) -> float:
    return max(FLOOR_DB, factor * math.log10(value)) if value > 0 else FLOOR_DB
