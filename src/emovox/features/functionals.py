"""Utterance functionals: one vector of named values for speech of any length.

They are the input of the SVM. `emovox.models.functionals` computes the same inside a network; tests compare the two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples
from emovox.features.config import FeatureConfig
from emovox.features.decimate import decimate, half_rate
from emovox.features.delta import delta
from emovox.features.energy import rms, zero_crossing_rate
from emovox.features.mfcc import log_mel_of, mfcc_of
from emovox.features.modulation import MODULATION_NAMES, modulation
from emovox.features.pitch import yin
from emovox.features.rhythm import RHYTHM_NAMES, rhythm
from emovox.features.signal import mono
from emovox.features.spectral import centroid, rolloff
from emovox.features.spectrum import Frames, bin_frequencies, power_spectrum
from emovox.features.statistics import MIN_FRAMES, SHAPE_NAMES, masked_slope, shape_statistics, slopes

FRAMES = FeatureConfig(n_mfcc=20, f0_threshold=0.25)
"""Frame features behind the functionals. With 20 coefficients instead of 13, speaker-independent UAR rises by about two
points on CASIA and one on RAVDESS. The high threshold counts breathy and creaky voice as voiced; 98 % of the F0 values
are within 2 % of those for 0.1."""

PITCH = half_rate(FRAMES)
"""Parameters of F0: every 20 ms, on audio decimated to 8 kHz."""

LEVEL_FLOOR = 1e-6
"""Added to RMS before the logarithm: -120 dBFS."""

PITCH_REFERENCE_HZ = 55.0
"""Zero of the semitone scale in Hz."""

UNVOICED_PITCH = 24.0
"""Value in semitones (220 Hz) of the location statistics with fewer than MIN_FRAMES voiced frames."""

_MFCC = tuple(f"mfcc_{i}" for i in range(FRAMES.n_mfcc))
_OTHER = ("level", "zcr", "centroid", "rolloff")
STATIC_NAMES = (*_MFCC, *_OTHER)
MOVING_NAMES = (
    *(f"{name}_delta" for name in _MFCC),
    *(f"{name}_delta2" for name in _MFCC),
    *(f"{name}_delta" for name in _OTHER),
)


class Tracks(NamedTuple):
    """Frame features that the functionals summarise; the step is 10 ms, for pitch and voicing 20 ms.

    Attributes:
        static: shape [t, 24]: MFCC, level in dB, zero-crossing rate, centroid and roll-off in kHz.
        moving: shape [t, 44]: deltas of `static`, and second deltas of the MFCC.
        bands: shape [t, 64]: log-mel in dB.
        pitch: shape [t2]: semitones above 55 Hz.
        voiced: shape [t2], bool.
    """

    static: Frames
    moving: Frames
    bands: Frames
    pitch: Frames
    voiced: npt.NDArray[np.bool_]


def functional_names() -> tuple[str, ...]:
    """Return the names of the values of `functionals`, in order: `<track>_<statistic>`."""
    return (
        *(f"{track}_{name}" for track in STATIC_NAMES for name in (*SHAPE_NAMES, "slope")),
        *(f"{track}_{name}" for track in MOVING_NAMES for name in SHAPE_NAMES),
        *(f"flux_{name}" for name in SHAPE_NAMES),
        *(f"pitch_{name}" for name in (*SHAPE_NAMES, "slope")),
        *(f"pitch_delta_{name}" for name in SHAPE_NAMES),
        *RHYTHM_NAMES,
        *MODULATION_NAMES,
    )


def functionals(samples: Samples) -> Frames:
    """Compute the functionals of speech.

    Args:
        samples: shape [n], float32 at 16 kHz, in [-1, 1], not normalised; 0.3 s or more are sensible.

    Returns:
        Shape [609], float32, named by `functional_names`.

    Raises:
        AudioError: `samples` is not one channel of finite numbers (see `signal.mono`).

    >>> functionals(np.zeros(16000, np.float32)).shape == (len(functional_names()),)
    True
    """
    tracks = extract_tracks(samples)
    static = np.concatenate([shape_statistics(tracks.static), slopes(tracks.static)[:, None]], axis=1)
    level = tracks.static[:, STATIC_NAMES.index("level")]
    frame_seconds, pitch_seconds = FRAMES.hop / FRAMES.sample_rate, PITCH.hop / PITCH.sample_rate
    return np.concatenate(
        [
            static.ravel(),
            shape_statistics(tracks.moving).ravel(),
            _flux_statistics(tracks.bands),
            _pitch_statistics(tracks.pitch, tracks.voiced),
            rhythm(level, tracks.voiced, frame_seconds=frame_seconds, pitch_seconds=pitch_seconds),
            modulation(tracks.bands, frame_seconds=frame_seconds),
        ]
    )


def extract_tracks(samples: Samples) -> Tracks:
    """Compute the frame features behind the functionals from one spectrum.

    Args:
        samples: shape [n], float32 at 16 kHz.

    Returns:
        The tracks; `Tracks` has their shapes and units.
    """
    samples = mono(samples)
    power = power_spectrum(samples, n_fft=FRAMES.n_fft, hop=FRAMES.hop)
    frequencies = bin_frequencies(sample_rate=FRAMES.sample_rate, n_fft=FRAMES.n_fft)
    bands = log_mel_of(power, FRAMES)
    cepstrum = mfcc_of(bands, FRAMES)
    loudness = 20 * np.log10(rms(samples, length=FRAMES.n_fft, hop=FRAMES.hop) + np.float32(LEVEL_FLOOR))
    other = np.stack(
        [
            loudness,
            zero_crossing_rate(samples, length=FRAMES.n_fft, hop=FRAMES.hop),
            centroid(power, frequencies) / 1000,
            rolloff(power, frequencies, share=FRAMES.rolloff) / 1000,
        ],
        axis=1,
    )
    moving = np.concatenate([delta(cepstrum), delta(cepstrum, order=2), delta(other)], axis=1)
    f0, voiced = _pitch(samples)
    semitones = (12 * np.log2(f0 / PITCH_REFERENCE_HZ)).astype(np.float32)
    return Tracks(np.concatenate([cepstrum, other], axis=1), moving, bands, semitones, voiced)


def _pitch(samples: Samples) -> tuple[Frames, npt.NDArray[np.bool_]]:
    return yin(
        decimate(samples) if samples.size > 1 else samples,
        sample_rate=PITCH.sample_rate,
        fmin=PITCH.f0_fmin,
        fmax=PITCH.f0_fmax,
        length=PITCH.f0_length,
        hop=PITCH.hop,
        threshold=PITCH.f0_threshold,
    )


def _flux_statistics(bands: Frames) -> Frames:
    # RMS over the bands of the difference of neighbouring frames, in dB; a single frame has no difference.
    flux = np.sqrt(np.square(np.diff(bands, axis=0)).mean(axis=1)) if len(bands) > 1 else np.zeros(1, np.float32)
    return np.asarray(shape_statistics(flux[:, None])[0])


def _pitch_statistics(pitch: Frames, voiced: npt.NDArray[np.bool_]) -> Frames:
    both = voiced[1:] & voiced[:-1]
    shape = np.array([UNVOICED_PITCH, 0, *[UNVOICED_PITCH] * (len(SHAPE_NAMES) - 2)], np.float32)
    change = np.zeros(len(SHAPE_NAMES), np.float32)
    slope = 0.0
    if voiced.sum() >= MIN_FRAMES:
        shape = shape_statistics(pitch[voiced][:, None])[0]
        slope = masked_slope(pitch, voiced)
    if both.sum() >= MIN_FRAMES:
        change = shape_statistics(np.diff(pitch)[both][:, None])[0]
    return np.concatenate([shape, np.array([slope]), change]).astype(np.float32)
