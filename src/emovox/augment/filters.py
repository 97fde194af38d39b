"""Change the balance of frequencies: tilt around 1 kHz, slope over the whole band, no low frequencies."""

from __future__ import annotations

import math

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import butter, lfilter, sosfilt

from emovox.audio.types import Samples
from emovox.augment.bounds import RATE, bounded, levelled
from emovox.augment.config import LowCut, Slope, Tilt

PIVOT = 1000.0
"""Frequency in Hz that a tilt neither raises nor lowers."""

FLAT_BELOW = 100.0
"""Frequency in Hz below which a slope is flat: only hum lies there, and a slope would raise it by far."""

_REACH = RATE // 10
"""Samples of zeros (0.1 s) between the end of a clip and its start, over which a slope rings out."""


def tilt(samples: Samples, db: float) -> Samples:
    """Raise high frequencies against low ones by `db` dB with a first-order shelf around 1 kHz; the level stays.

    H(s) = (√g s + 1) / (s + √g) in units of the pivot, g = 10^(db / 20). The gain is 1/√g at 0 Hz, 1 at the pivot and
    √g far above. The bilinear transform is prewarped so that the pivot keeps its frequency.

    Args:
        samples: shape [n], float32.
        db: difference in dB; below 0 the clip becomes duller.

    Returns:
        Shape [n], float32.
    """
    root, pivot = 10 ** (db / 40), math.tan(math.pi * PIVOT / RATE)
    filtered = lfilter(
        np.array([root + pivot, pivot - root], np.float32),
        np.array([1 + root * pivot, root * pivot - 1], np.float32),
        samples,
    )
    return levelled(filtered, samples)


def random_tilt(samples: Samples, config: Tilt, rng: np.random.Generator) -> Samples:
    """Tilt the spectrum by a random number of dB; samples and result have shape [n]."""
    return tilt(samples, float(rng.uniform(config.low_db, config.high_db)))


def slope(samples: Samples, db: float) -> Samples:
    """Raise the spectrum by `db` dB per octave from 100 Hz up; the level and the phases stay.

    Args:
        samples: shape [n], float32.
        db: below 0 the clip becomes duller.

    Returns:
        Shape [n], float32.
    """
    n = next_fast_len(len(samples) + _REACH, real=True)
    octaves = np.log2(np.maximum(rfftfreq(n, 1 / RATE), FLAT_BELOW) / PIVOT)
    spectrum = rfft(samples, n) * (10 ** (db * octaves / 20)).astype(np.float32)
    return levelled(irfft(spectrum, n)[: len(samples)], samples)


def random_slope(samples: Samples, config: Slope, rng: np.random.Generator) -> Samples:
    """Slope the spectrum by a random number of dB per octave; samples and result have shape [n]."""
    return slope(samples, float(rng.uniform(config.low_db, config.high_db)))


def low_cut(samples: Samples, hz: float, order: int) -> Samples:
    """Remove frequencies below a limit with a Butterworth filter; the level falls with what is removed.

    Args:
        samples: shape [n], float32.
        hz: limit in Hz, at which 3 dB are lost.
        order: times 6 dB per octave.

    Returns:
        Shape [n], float32 in [-1, 1].
    """
    sections = butter(order, hz, "highpass", output="sos", fs=RATE)
    return bounded(sosfilt(sections, samples))


def random_low_cut(samples: Samples, config: LowCut, rng: np.random.Generator) -> Samples:
    """Remove frequencies below a random limit, more or less steeply; samples and result have shape [n]."""
    octaves = rng.uniform(math.log2(config.lowest), math.log2(config.highest))
    return low_cut(samples, float(2**octaves), int(rng.integers(1, 5)))
