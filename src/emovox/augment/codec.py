"""Simulate lines and lossy files: G.711 telephone at 8 kHz, narrower bands, MP3 and Opus."""

from __future__ import annotations

import io

import numpy as np
import soundfile
import soxr

from emovox.audio.g711 import Law, decode, encode
from emovox.audio.types import Samples
from emovox.augment.bounds import RATE, bounded, fitted
from emovox.augment.config import Codec, CodecKind

_TELEPHONE = 8000
_FILES = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS")}
_WEAKEST, _STRONGEST = 0.9, 0.99
"""Range of libsndfile's compression level, which is 0 to 1 (MP3 refuses 1). On speech this is 11 to 30 kbit/s as MP3
and 8 to 20 as Opus."""


def through_g711(samples: Samples, rate: int = RATE, law: Law = "mu") -> Samples:
    """Return a clip as it sounds over a telephone line: 8 kHz, 8 bits per sample, and back to its rate.

    Low frequencies stay: lines over the internet keep them; only others cut below 300 Hz.

    Args:
        samples: shape [n], float32 in [-1, 1].
        rate: sample rate of the clip in Hz.
        law: "mu" (North America, Japan) or "a" (elsewhere).

    Returns:
        Shape [n], float32, without energy above 4 kHz.
    """
    line = soxr.resample(samples, rate, _TELEPHONE)
    pcm = np.clip(np.rint(line * 32768), -32768, 32767).astype(np.int16)
    received = decode(encode(pcm, law), law).astype(np.float32) / 32768
    return bounded(fitted(soxr.resample(received, _TELEPHONE, rate), len(samples)))


def through_band(samples: Samples, highest: float) -> Samples:
    """Remove frequencies above a limit by resampling down and up; the upper tenth of the band fades out.

    Args:
        samples: shape [n], float32 in [-1, 1] at 16 kHz.
        highest: limit in Hz, up to 8000.

    Returns:
        Shape [n], float32.
    """
    there = soxr.resample(samples, RATE, 2 * highest, quality="MQ")
    return bounded(fitted(soxr.resample(there, 2 * highest, RATE, quality="MQ"), len(samples)))


def through_file(samples: Samples, kind: str, level: float) -> Samples:
    """Encode as a lossy file in memory and decode it.

    Args:
        samples: shape [n], float32 in [-1, 1] at 16 kHz.
        kind: "mp3" or "opus".
        level: compression level of libsndfile, 0.9 to 0.99 (strongest).

    Returns:
        Shape [n], float32, without the delay of the codec.
    """
    file, (form, subtype) = io.BytesIO(), _FILES[kind]
    soundfile.write(file, samples, RATE, format=form, subtype=subtype, compression_level=level)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return bounded(fitted(decoded, len(samples)))


def random_codec(samples: Samples, config: Codec, rng: np.random.Generator) -> Samples:
    """Apply one of `config.kinds`, drawn at random, to samples of shape [n]; returns shape [n]."""
    kind: CodecKind = config.kinds[int(rng.integers(len(config.kinds)))]
    if kind == "mu-law" or kind == "a-law":
        return through_g711(samples, law="mu" if kind == "mu-law" else "a")
    if kind == "band":
        return through_band(samples, float(rng.uniform(config.lowest, config.highest)))
    return through_file(samples, kind, float(rng.uniform(_WEAKEST, _STRONGEST)))
