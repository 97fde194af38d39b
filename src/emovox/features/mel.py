"""Slaney's mel filter bank, decibels, and the cosine transform from log-mel to MFCC."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from emovox.features.compiled import CONTRACT, compiled
from emovox.features.config import FeatureConfig
from emovox.features.spectrum import Frames, bin_frequencies

Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

AMIN = 1e-10
"""Floor of a power before its logarithm: -100 dB, as in librosa.power_to_db."""

LINEAR_HZ = 200.0 / 3
"""Width of a mel in Hz below 1 kHz, where Slaney's scale is linear."""

BREAK_HZ = 1000.0
"""Frequency in Hz from which the scale is logarithmic."""

LOG_STEP = np.log(6.4) / 27
"""Step of the natural logarithm per mel above `BREAK_HZ`: 27 mels from 1 kHz to 6.4 kHz."""


def hz_to_mel(frequency: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert Hz to mel on Slaney's scale (Auditory Toolbox, 1998); any shape, float64.

    >>> hz_to_mel([0.0, 1000.0, 6400.0]).round(6).tolist()
    [0.0, 15.0, 42.0]
    """
    hz = np.asarray(frequency, np.float64)
    above = BREAK_HZ / LINEAR_HZ + np.log(np.maximum(hz, BREAK_HZ) / BREAK_HZ) / LOG_STEP
    return np.where(hz < BREAK_HZ, hz / LINEAR_HZ, above)


def mel_to_hz(mel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert mel to Hz, the inverse of `hz_to_mel`; any shape, float64.

    >>> mel_to_hz([15.0, 42.0]).round(3).tolist()
    [1000.0, 6400.0]
    """
    mels = np.asarray(mel, np.float64)
    start = BREAK_HZ / LINEAR_HZ
    return np.where(mels < start, mels * LINEAR_HZ, BREAK_HZ * np.exp(LOG_STEP * (np.maximum(mels, start) - start)))


@lru_cache(maxsize=8)
def mel_filters(config: FeatureConfig) -> Matrix:
    """Return triangular filters of equal width in mel, each scaled by 2 / bandwidth in Hz (Slaney's area norm).

    Args:
        config: `sample_rate`, `n_fft`, `n_mels`, `mel_fmin` and `mel_fmax` are used.

    Returns:
        Shape [n_mels, 1 + n_fft // 2], float32, read-only. With too many `n_mels`, filters narrower than a bin may be
        empty.

    >>> mel_filters(FeatureConfig()).shape
    (64, 257)
    """
    low, high = hz_to_mel([config.mel_fmin, config.mel_fmax])
    edges = mel_to_hz(np.linspace(low, high, config.n_mels + 2))
    distance = edges[:, None] - bin_frequencies(sample_rate=config.sample_rate, n_fft=config.n_fft)
    width = np.diff(edges)[:, None]
    triangles = np.maximum(0, np.minimum(-distance[:-2] / width[:-1], distance[2:] / width[1:]))
    filters = (triangles * (2 / (edges[2:] - edges[:-2])[:, None])).astype(np.float32)
    filters.flags.writeable = False
    return filters


@lru_cache(maxsize=8)
def dct_matrix(n_in: int, n_out: int) -> Matrix:
    """Return the orthonormal DCT-II as a matrix: log-mel of shape [t, n_in] times it is MFCC.

    Args:
        n_in: number of mel bands.
        n_out: number of coefficients, <= `n_in`.

    Returns:
        Shape [n_in, n_out], float32, read-only; the columns have length 1 and are orthogonal.

    >>> basis = dct_matrix(8, 3)
    >>> bool(np.allclose(basis.T @ basis, np.eye(3), atol=1e-6))
    True
    """
    rows, columns = np.arange(n_in)[:, None], np.arange(n_out)
    basis = np.cos(np.pi * (2 * rows + 1) * columns / (2 * n_in)) * np.sqrt(2 / n_in)
    basis[:, 0] /= np.sqrt(2)
    result: Matrix = basis.astype(np.float32)
    result.flags.writeable = False
    return result


def mel_power(power: Frames, config: FeatureConfig) -> Frames:
    """Sum a power spectrum into mel bands.

    Args:
        power: shape [t, 1 + n_fft // 2], float32.
        config: parameters of the filters.

    Returns:
        Shape [t, n_mels], float32.
    """
    filters, first, last = _bands(config)
    return _apply_filters(power, filters, first, last)


def power_to_db(power: Frames, *, top_db: float | None = 80.0) -> Frames:
    """Convert power to decibels, 10 log10(max(power, 1e-10)), as librosa.power_to_db with ref 1.

    Args:
        power: any shape, float32, >= 0.
        top_db: dynamic range in dB below the largest value *of the whole array*, to which lower values are clipped;
            None does not clip. So the result depends on the loudest moment of the recording.

    Returns:
        Shape of `power`, float32 in dB, >= -100.

    >>> power_to_db(np.array([1.0, 1e-3, 1e-12], np.float32)).round(3).tolist()
    [0.0, -30.0, -80.0]
    """
    # np.log is vectorised for float32, np.log10 is not: this saves 0.1 ms for 3 s of audio.
    decibels = np.log(np.maximum(power, np.float32(AMIN))) * np.float32(10 / np.log(10))
    if top_db is not None:
        np.maximum(decibels, decibels.max() - np.float32(top_db), out=decibels)
    return decibels


@lru_cache(maxsize=8)
def _bands(config: FeatureConfig) -> tuple[Matrix, Indices, Indices]:
    filters = mel_filters(config)
    used = filters > 0
    first = np.argmax(used, axis=1)
    return filters, first, np.where(used.any(axis=1), filters.shape[1] - np.argmax(used[:, ::-1], axis=1), first)


@compiled(CONTRACT)
def _apply_filters(power: Frames, filters: Matrix, first: Indices, last: Indices) -> Frames:
    # Each filter covers only a few neighbouring bins: a tenth of the products of a dense matrix.
    count, n_mels = power.shape[0], filters.shape[0]
    bands = np.empty((count, n_mels), np.float32)
    for t in range(count):
        for m in range(n_mels):
            total = np.float32(0)
            for k in range(first[m], last[m]):
                total += power[t, k] * filters[m, k]
            bands[t, m] = total
    return bands
