"""The golden vector: an input made by a formula, not a corpus clip, and the scores that a model must give for it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples
from emovox.runtime.model import Model
from emovox.schema.errors import ModelError

FORMULA = "glide-1"
"""Name of the only formula so far. A card names its formula, so a later one does not change old cards."""

_HARMONICS = 12
_F0_LOW_HZ, _F0_HIGH_HZ = 110.0, 220.0
_SYLLABLES_HZ = 4.0
_NOISE = 0.003


def golden_input(*, seconds: float, sample_rate: int, formula: str = FORMULA) -> Samples:
    """Return the golden input: a harmonic glide from 110 to 220 Hz in syllables of 1/4 s, with a little noise.

    It uses only sines and integer arithmetic, so it is the same to float32 rounding on every machine and with every
    numpy version. (numpy's random streams may change between versions.) The peak is about 0.5.

    Args:
        seconds: length in seconds, > 0.
        sample_rate: sample rate in Hz.
        formula: name of the formula in the card.

    Returns:
        Shape [n], float32, n = round(seconds * sample_rate).

    Raises:
        ModelError: the formula is unknown.

    >>> golden_input(seconds=0.5, sample_rate=16000).shape
    (8000,)
    """
    if formula != FORMULA:
        raise ModelError(
            f"golden formula is '{formula}', expected '{FORMULA}'; install a version of emovox that knows it"
        )
    n = round(seconds * sample_rate)
    time = np.arange(n) / sample_rate
    slope = (_F0_HIGH_HZ - _F0_LOW_HZ) / (2 * seconds)
    phase = 2 * np.pi * (_F0_LOW_HZ + slope * time) * time
    voice = sum(np.sin(k * phase) / k for k in range(1, _HARMONICS + 1))
    loudness = 0.5 - 0.5 * np.cos(2 * np.pi * _SYLLABLES_HZ * time)
    return (0.3 * voice * loudness + _NOISE * _noise(n)).astype(np.float32)


def check_golden(model: Model) -> float:
    """Score the golden input of `card.golden.seconds` seconds and compare with the scores in the card.

    Returns:
        The largest absolute difference of a score, in [0, 1]. The model is sound if it is at most
        `card.golden.tolerance`.

    Raises:
        ModelError: the card names an unknown formula.
    """
    golden = model.card.golden
    samples = golden_input(seconds=golden.seconds, sample_rate=model.card.sample_rate, formula=golden.formula)
    scores = model.run(samples[None]).scores[0]
    return float(np.abs(scores - np.asarray(golden.scores)).max())


def _noise(n: int) -> npt.NDArray[np.float64]:
    """Return uniform noise [n] in [-1, 1): the SplitMix64 hash of the index (Steele, Lea and Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        state = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    # The upper 53 bits, as many as a double holds exactly.
    return np.asarray((state >> np.uint64(11)) / 2.0**52 - 1.0, dtype=np.float64)
