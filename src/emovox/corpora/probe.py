"""Read the header of a recording, or decode it and measure its samples."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import msgspec
import numpy as np

from emovox.audio.reader import open_audio


class Probe(msgspec.Struct, frozen=True):
    """Measurements of a recording that was decoded from beginning to end.

    Attributes:
        duration: decoded length in seconds.
        sample_rate: native rate in Hz.
        sha256: hash of the rate and the decoded samples in hexadecimal; the container does not matter.
        level: mean level of the clip in dBFS (0 is a full-scale square wave); None for digital silence.
        damage: why decoding ended early, or None.
    """

    duration: float
    sample_rate: int
    sha256: str
    level: float | None
    damage: str | None


def header(path: Path) -> tuple[float, int]:
    """Return duration in seconds and sample rate in Hz; decode the recording if its bytes do not give the duration.

    Raises:
        AudioError: the file is not a recording (see `open_audio`).
        MissingExtraError: the format needs the extra `media`.
    """
    with open_audio(path, sample_rate=None) as reader:
        if reader.duration is None:
            return sum(block.shape[1] for block in reader.blocks()) / reader.native_rate, reader.native_rate
        return reader.duration, reader.native_rate


def measure(path: Path) -> Probe:
    """Decode a recording at its native rate, all channels, in blocks, and measure it.

    Raises:
        AudioError: the recording cannot be decoded, is empty, or has NaN or infinity.
        MissingExtraError: the format needs the extra `media`.
    """
    with open_audio(path, sample_rate=None, channels="split") as reader:
        digest = hashlib.sha256(str(reader.native_rate).encode())
        energy, count = 0.0, 0
        for block in reader.blocks():
            digest.update(np.ascontiguousarray(block.T).tobytes())
            energy += float(np.vdot(block, block))
            count += block.size
        damage = next((notice.message for notice in reader.notices if notice.code == "truncated"), None)
        level = 10 * math.log10(energy / count) if energy > 0 else None
        return Probe(reader.seconds, reader.native_rate, digest.hexdigest(), level, damage)
