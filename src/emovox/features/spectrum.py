"""Power spectrum of centred frames with a Hann window, shared by MFCC, log-mel, centroid and roll-off."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from emovox.audio.types import Samples
from emovox.features.compiled import CONTRACT, compiled
from emovox.features.signal import mono, n_frames, pad

Frames = npt.NDArray[np.float32]
"""Features of frames, shape [t, ...], float32."""

BLOCK = 64
"""Frames transformed together, so that frames and spectra stay in the cache: 0.42 ms for 3 s; all at once, 0.73 ms."""


def power_spectrum(samples: Samples, *, n_fft: int = 512, hop: int = 160) -> Frames:
    """Compute |STFT|² with a periodic Hann window of `n_fft` samples and zero padding at both ends.

    Args:
        samples: shape [n], float32, n >= 1.
        n_fft: frame and transform length in samples, even.
        hop: step between frames in samples.

    Returns:
        Shape [t, 1 + n_fft // 2], float32, t = 1 + n // hop; row t is centred on sample t * hop.

    Raises:
        AudioError: `samples` is not one channel of finite numbers (see `mono`).
        ConfigError: `n_fft` is odd.

    >>> power_spectrum(np.ones(480, np.float32)).shape
    (4, 257)
    """
    samples = mono(samples)
    padded, window = pad(samples, length=n_fft, hop=hop), hann(n_fft)
    power = np.empty((n_frames(samples.size, hop), 1 + n_fft // 2), np.float32)
    for start in range(0, len(power), BLOCK):
        rows = power[start : start + BLOCK]
        windowed = _window_frames(padded[start * hop :], window, hop, len(rows))
        _square(scipy.fft.rfft(windowed, axis=-1, workers=1), rows)
    return power


@lru_cache(maxsize=8)
def hann(length: int) -> Samples:
    """Return the periodic Hann window 0.5 - 0.5 cos(2 pi n / length), shape [length], float32, read-only."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
    window.flags.writeable = False
    return window


def bin_frequencies(*, sample_rate: int, n_fft: int) -> npt.NDArray[np.float64]:
    """Return the centre frequencies of the bins in Hz, shape [1 + n_fft // 2], float64.

    >>> bin_frequencies(sample_rate=16000, n_fft=4).tolist()
    [0.0, 4000.0, 8000.0]
    """
    return np.arange(1 + n_fft // 2, dtype=np.float64) * (sample_rate / n_fft)


@compiled(CONTRACT)
def _window_frames(padded: Samples, window: Samples, hop: int, count: int) -> Frames:
    n = window.size
    frames = np.empty((count, n), np.float32)
    for t in range(count):
        frame = padded[t * hop : t * hop + n]
        for i in range(n):
            frames[t, i] = frame[i] * window[i]
    return frames


@compiled(CONTRACT)
def _square(spectrum: npt.NDArray[np.complex64], power: Frames) -> None:
    for t in range(spectrum.shape[0]):
        for k in range(spectrum.shape[1]):
            value = spectrum[t, k]
            power[t, k] = value.real * value.real + value.imag * value.imag
