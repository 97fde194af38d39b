"""What lines and files take away: the telephone's 8 kHz and 8 bits, narrower bands, lossy compression."""

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
"""Compression levels of libsndfile, from 0 to 1 (MP3 refuses 1); on speech 11 to 30 kbit/s as MP3, 8 to 20 as Opus."""


def through_g711(samples: Samples, rate: int = RATE, law: Law = "mu") -> Samples:
    """Return the clip as a telephone line delivers it: 8 kHz, 8 bits a sample, and back to its rate.

    The low end stays: lines over the internet do not cut it, and those that do cut at 300 Hz.

    Args:
        samples: [n] float32 in [-1, 1].
        rate: of the clip in Hz.
        law: "mu" (America, Japan) or "a" (elsewhere).

    Returns:
        [n] float32, empty above 4 kHz.
    """
    line = soxr.resample(samples, rate, _TELEPHONE)
    pcm = np.clip(np.rint(line * 32768), -32768, 32767).astype(np.int16)
    received = decode(encode(pcm, law), law).astype(np.float32) / 32768
    return bounded(fitted(soxr.resample(received, _TELEPHONE, rate), len(samples)))


def through_band(samples: Samples, highest: float) -> Samples:
    """Remove what is above `highest` Hz, up to 8000, from [n], by resampling there and back; the upper tenth fades."""
    there = soxr.resample(samples, RATE, 2 * highest, quality="MQ")
    return bounded(fitted(soxr.resample(there, 2 * highest, RATE, quality="MQ"), len(samples)))


def through_file(samples: Samples, kind: str, level: float) -> Samples:
    """Write [n] as a lossy file in memory and read it back.

    Args:
        samples: [n] float32 in [-1, 1].
        kind: "mp3" or "opus".
        level: compression level of libsndfile, 0.9 to 0.99 (strongest).

    Returns:
        [n] float32; the codec's delay is taken out.
    """
    file, (form, subtype) = io.BytesIO(), _FILES[kind]
    soundfile.write(file, samples, RATE, format=form, subtype=subtype, compression_level=level)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return bounded(fitted(decoded, len(samples)))


def random_codec(samples: Samples, config: Codec, rng: np.random.Generator) -> Samples:
    """Send [n] through one of `config.kinds`."""
    kind: CodecKind = config.kinds[int(rng.integers(len(config.kinds)))]
    if kind == "mu-law" or kind == "a-law":
        return through_g711(samples, law="mu" if kind == "mu-law" else "a")
    if kind == "band":
        return through_band(samples, float(rng.uniform(config.lowest, config.highest)))
    return through_file(samples, kind, float(rng.uniform(_WEAKEST, _STRONGEST)))
