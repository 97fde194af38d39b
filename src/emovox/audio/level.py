"""How loud it is now."""

from __future__ import annotations

import math
import threading
from typing import NamedTuple

import numpy as np

from emovox.audio.types import Samples

FLOOR_DB = -96.0
"""About the last of 16 bits; silence, too, is shown as this."""


class Level(NamedTuple):
    """Root mean square and greatest absolute sample in dB of full scale, `FLOOR_DB` to about 0."""

    mean_db: float
    peak_db: float


class LevelMeter:
    """The level since it was last asked for; one thread feeds, another reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._energy, self._count, self._peak = 0.0, 0, 0.0
        self.silent = 0
        """Samples in a row that were exactly 0: a microphone that is muted, or may not be used."""

    def feed(self, samples: Samples) -> None:
        """Take the next samples [channels, n] float32."""
        energy, peak = float(np.vdot(samples, samples)), float(np.abs(samples).max(initial=0.0))
        with self._lock:
            self._energy += energy
            self._count += samples.size
            self._peak = max(self._peak, peak)
            self.silent = 0 if peak else self.silent + samples.shape[1]

    def read(self) -> Level | None:
        """Give the level since the last call; None when no audio has come."""
        with self._lock:
            energy, count, peak = self._energy, self._count, self._peak
            self._energy, self._count, self._peak = 0.0, 0, 0.0
        return Level(_db(energy / count, 10), _db(peak, 20)) if count else None


def _db(value: float, factor: int) -> float:
    return max(FLOOR_DB, factor * math.log10(value)) if value > 0 else FLOOR_DB
