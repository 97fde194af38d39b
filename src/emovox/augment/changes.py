"""Changes of test conditions: noises by formula, filters, levels, cuts, lines and files.

Each function takes samples [n] (float32 in [-1, 1]), the rate in Hz and a random generator, then its parameters by
name, and returns samples in [-1, 1] at the same rate.
"""

from __future__ import annotations

import io
import math
from functools import cache

import numpy as np
import soundfile
import soxr
from scipy.signal import butter, lfilter, sosfilt

from emovox.audio.types import Samples
from emovox.augment.bounds import bounded, fitted, levelled
from emovox.augment.codec import through_g711
from emovox.augment.filters import slope
from emovox.augment.noise import at_snr, coloured_noise
from emovox.augment.room import in_room, simulate_rooms

TONES = (5000.0, 7000.0)
"""Range in Hz of the frequency of an added tone."""

TELEPHONE_RATE, TELEPHONE_BAND = 8000, (300.0, 3400.0)
"""Sample rate and band of a telephone line, in Hz."""

ROOMS = 16
"""Simulated rooms of a range of decays."""

_LINE_NOISE_DB = 30.0
_MP3_BITRATES = (8.0, 160.0)
"""Lowest and highest rate of MP3 at 16 kHz in kbit/s, the range of libsndfile's compression level."""


def coloured(samples: Samples, rate: int, rng: np.random.Generator, *, snr_db: float, exponent: float) -> Samples:
    """Add noise whose power falls with frequency: 1 / f^exponent, white with 0 and pink with 1."""
    return at_snr(samples, coloured_noise(len(samples), rate, rng, exponent=exponent), snr_db)


def with_tone(samples: Samples, rate: int, rng: np.random.Generator, *, snr_db: float) -> Samples:
    """Add a tone of a random frequency within `TONES`."""
    hertz = rng.uniform(*TONES)
    tone = np.sin(2 * np.pi * hertz * np.arange(len(samples)) / rate)
    return at_snr(samples, tone.astype(np.float32), snr_db)


def with_gain(samples: Samples, rate: int, rng: np.random.Generator, *, db: float) -> Samples:  # noqa: ARG001
    """Change the level, limited to full scale."""
    return bounded(samples * np.float32(10 ** (db / 20)))


def faded(samples: Samples, rate: int, rng: np.random.Generator, *, low_db: float, high_db: float) -> Samples:  # noqa: ARG001
    """Change the level from one random gain to another, in a straight line in dB, within a random part of the clip."""
    first, last = rng.uniform(low_db, high_db, 2)
    start, end = np.sort(rng.uniform(0, len(samples), 2))
    gains = np.interp(np.arange(len(samples)), [start, max(end, start + 1)], [first, last])
    return bounded(samples * (10 ** (gains / 20)).astype(np.float32))


def clipped(samples: Samples, rate: int, rng: np.random.Generator, *, percent: float) -> Samples:  # noqa: ARG001
    """Cut off the loudest samples, `percent` of all, at the level of the others."""
    limit = float(np.quantile(np.abs(samples), 1 - percent / 100))
    return np.clip(samples, -limit, limit)


def padded(samples: Samples, rate: int, rng: np.random.Generator, *, before: int = 0, after: int = 0) -> Samples:  # noqa: ARG001
    """Add zeros: counts of samples."""
    return np.pad(samples, (before, after))


def cropped(samples: Samples, rate: int, rng: np.random.Generator, *, before: int = 0, after: int = 0) -> Samples:  # noqa: ARG001
    """Cut off counts of samples; at least half of the clip stays."""
    before, after = (min(n, len(samples) // 4) for n in (before, after))
    return samples[before : len(samples) - after]


def passed(samples: Samples, rate: int, rng: np.random.Generator, *, lowest: float = 0, highest: float = 0) -> Samples:  # noqa: ARG001
    """Apply a Butterworth filter of second order: frequencies in Hz above `lowest` or below `highest` stay."""
    for hertz, kind in ((lowest, "highpass"), (highest, "lowpass")):
        if hertz:
            samples = sosfilt(butter(2, hertz, kind, fs=rate, output="sos"), samples)
    return bounded(samples)


def tilted(samples: Samples, rate: int, rng: np.random.Generator, *, db: float) -> Samples:  # noqa: ARG001
    """Raise the spectrum by `db` dB per octave, as another microphone would; the level stays."""
    return slope(samples, db)


def in_simulated_room(
    samples: Samples,
    rate: int,  # noqa: ARG001
    rng: np.random.Generator,
    *,
    shortest: float,
    longest: float,
) -> Samples:
    """Convolve with one of `ROOMS` rooms whose sound decays by 60 dB in `shortest` to `longest` seconds.

    Raises:
        MissingExtraError: pyroomacoustics is not installed.
    """
    return in_room(samples, _rooms(shortest, longest)[int(rng.integers(ROOMS))])


@cache
def _rooms(shortest: float, longest: float) -> tuple[Samples, ...]:
    return simulate_rooms(ROOMS, shortest=shortest, longest=longest)


def banded(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    """Keep the band of a telephone, 300 to 3400 Hz, and apply G.711; an old line."""
    band = sosfilt(butter(4, TELEPHONE_BAND, "bandpass", fs=rate, output="sos"), samples)
    return through_g711(bounded(band), rate)


def bad_line(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """Return a clip over a bad mobile line: compressed loudness, telephone band, GSM 6.10, pink noise at 30 dB."""
    band = sosfilt(butter(4, TELEPHONE_BAND, "bandpass", fs=rate, output="sos"), compressed(samples, rate))
    line = np.asarray(soxr.resample(bounded(band), rate, TELEPHONE_RATE), np.float32)
    file = io.BytesIO()
    soundfile.write(file, line, TELEPHONE_RATE, format="WAV", subtype="GSM610")
    file.seek(0)
    received, _ = soundfile.read(file, dtype="float32")
    back = fitted(np.asarray(soxr.resample(received, TELEPHONE_RATE, rate), np.float32), len(samples))
    return coloured(bounded(back), rate, rng, snr_db=_LINE_NOISE_DB, exponent=1)


def compressed(samples: Samples, rate: int, *, ratio: float = 4.0, below_peak_db: float = 20.0) -> Samples:
    """Reduce differences of loudness above a threshold by a ratio; the envelope follows within 10 ms, mean power stays.

    Args:
        samples: [n].
        rate: in Hz.
        ratio: dB of input for one dB of output above the threshold.
        below_peak_db: the threshold below the highest level.
    """
    decay = math.exp(-1 / (0.01 * rate))
    level = np.sqrt(np.maximum(lfilter([1 - decay], [1, -decay], samples.astype(np.float64) ** 2), 1e-12))
    threshold = level.max() * 10 ** (-below_peak_db / 20)
    gains = np.minimum(1, (level / threshold) ** (1 / ratio - 1))
    return levelled(samples * gains, samples)


def as_mp3(samples: Samples, rate: int, rng: np.random.Generator, *, kbits: float) -> Samples:  # noqa: ARG001
    """Encode as MP3 with a constant rate in kbit/s and decode; samples at 16 kHz."""
    lowest, highest = _MP3_BITRATES
    level = min((highest - kbits) / (highest - lowest), 0.9999)  # libsndfile refuses 1
    return _through_file(samples, rate, form="MP3", subtype="MPEG_LAYER_III", level=level)


def as_opus(samples: Samples, rate: int, rng: np.random.Generator, *, level: float = 0.96) -> Samples:  # noqa: ARG001
    """Encode as Opus, at about 16 kbit/s by default, and decode; `level` is libsndfile's, 0 to 1."""
    return _through_file(samples, rate, form="OGG", subtype="OPUS", level=level)


def _through_file(samples: Samples, rate: int, *, form: str, subtype: str, level: float) -> Samples:
    file = io.BytesIO()
    mode = {"bitrate_mode": "CONSTANT"} if form == "MP3" else {}
    soundfile.write(file, samples, rate, format=form, subtype=subtype, compression_level=level, **mode)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return bounded(fitted(decoded, len(samples)))
