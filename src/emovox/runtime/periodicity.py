"""The periodicity of a short frame: it separates voices from rain, wind, engines and clicks."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

VOICE_RATE = 4000
"""Sample rate of `periodicity` in Hz: four harmonics of the highest voice are below 2 kHz."""

WINDOW = 160
"""Length of a frame in samples at `VOICE_RATE`: 40 ms, nearly three periods of a voice of 70 Hz."""

SHORTEST_LAG, LONGEST_LAG = 8, 57
"""Range of lags in samples at `VOICE_RATE`: 500 to 70 Hz. A higher voice repeats at a multiple of its period."""

_N_FFT = 240  # >= WINDOW + LONGEST_LAG + 1, so that no lag wraps around, and a product of small primes


def periodicity(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the highest peak of the normalised autocorrelation over the lags of a voice.

    The autocorrelation is divided by that of the window; otherwise long lags look weak. Only peaks count: the slow
    decay of rumble over short lags is not a period. It takes about 4 µs per frame.

    Args:
        frames: [frames, WINDOW] float32, samples at `VOICE_RATE` (4000 Hz), without offset.

    Returns:
        Shape [frames], float32: about 1 for a steady voice, 0.2 to 0.5 for noise, 0 without a peak or for silence. The
        result of a frame does not depend on its neighbours.

    Reference: P. Boersma, Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of
        a sampled sound, IFA Proceedings 17, 1993, equation 9.

    >>> time = np.arange(WINDOW, dtype=np.float32) / VOICE_RATE
    >>> bool(periodicity(np.sin(2 * np.pi * 200 * time)[None])[0] > 0.95)
    True
    """
    window, correction = _window()
    ratio = _autocorrelation(frames * window)
    ratio *= correction / np.maximum(ratio[:, :1], np.finfo(np.float32).tiny)
    centre = ratio[:, SHORTEST_LAG:-1]
    peak = (centre >= ratio[:, SHORTEST_LAG - 1 : -2]) & (centre >= ratio[:, SHORTEST_LAG + 1 :])
    best: npt.NDArray[np.float32] = np.where(peak, centre, 0).max(axis=1).clip(0, 1).astype(np.float32)
    return best


@cache
def _window() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    of_window = _autocorrelation(window[None])
    return window, of_window[:, :1] / of_window


def _autocorrelation(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    spectrum = np.fft.rfft(frames, _N_FFT)
    power = spectrum.real**2 + spectrum.imag**2
    lags = np.fft.irfft(power, _N_FFT)[:, : LONGEST_LAG + 2]
    return lags.astype(np.float32, copy=False)
