"""Modulation energy: energy of the log-mel envelope at the rates of phrases, syllables and tremor."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np

from emovox.features.spectrum import Frames

GROUPS = 16
"""Number of groups into which neighbouring mel bands are averaged."""

EDGES_HZ = (0.5, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Edges of the modulation bands in Hz. Syllables are at 3 to 8 Hz, vocal tremor at 4 to 12 Hz, roughness above."""

RATES_PER_BAND = 8
"""Modulation frequencies per band, evenly spaced: finer than 1 / duration for the length of any tile."""

FLOOR = 1e-3
"""Added to the energy in dB² before the logarithm, so that steady sounds have a finite value."""

MODULATION_NAMES = tuple(
    f"modulation_{group}_{low:g}_{high:g}hz" for low, high in pairwise(EDGES_HZ) for group in range(GROUPS)
)
"""Names of the values of `modulation`, in order."""


def modulation(bands: Frames, *, frame_seconds: float) -> Frames:
    """Compute the log energy of the modulation spectrum in five bands of rates.

    Args:
        bands: log-mel in dB, shape [t, n_mels], n_mels a multiple of 16.
        frame_seconds: step between frames in seconds.

    Returns:
        Shape [80], float32, natural logarithm of dB², named by `MODULATION_NAMES`.

    Reference:
        Wu, Falk and Chan, "Automatic speech emotion recognition using modulation spectral features", Speech
        Communication 53 (2011).
    """
    count = len(bands)
    groups = bands.reshape(count, GROUPS, -1).mean(axis=2)
    spectrum = (groups - groups.mean(axis=0)).T @ _waves(count, frame_seconds)
    half = spectrum.shape[1] // 2
    power = (np.square(spectrum[:, :half]) + np.square(spectrum[:, half:])) / count
    energy = power.reshape(GROUPS, -1, RATES_PER_BAND).mean(axis=2)
    return np.asarray(np.log(energy.T.ravel() + FLOOR), np.float32)


def modulation_rates() -> Frames:
    """Return the modulation frequencies in Hz, band by band, shape [40], float32."""
    steps = (np.arange(RATES_PER_BAND) + 0.5) / RATES_PER_BAND
    return np.concatenate([low + (high - low) * steps for low, high in pairwise(EDGES_HZ)]).astype(np.float32)


@lru_cache(maxsize=64)
def _waves(count: int, frame_seconds: float) -> Frames:
    phase = 2 * np.pi * np.outer(np.arange(count) * frame_seconds, modulation_rates())
    waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1).astype(np.float32)
    waves.flags.writeable = False
    return waves
