"""What a worker keeps of a recording for a second pass: sums over its tiles, and the tiles as the head sees them.

The values of the head's first map stand for the statistics: they are 128 to 384 numbers a tile, not 6,144, and give the
scores under any profile.
"""

from __future__ import annotations

import msgspec
import numpy as np

from emovox.adaptation.estimator import Adaptation, Numbers, VoiceStatistics
from emovox.audio.types import Samples
from emovox.runtime.first_pass import Heard
from emovox.runtime.model import Model
from emovox.runtime.second_pass import GROUPS, voices_of
from emovox.schema.result import Notice

_SINGLE = 4
"""Numbers of sums that are no array: clips, seconds, squares, entropy."""


class KeptTiles(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a recording.

    Attributes:
        notices: warnings of decoding and of voice activity detection.
        sums: over its tiles, as `sums_row` float32 in bytes; empty without speech.
        hidden: [segments, h], values of the head's first map, float32 in bytes.
    """

    notices: tuple[Notice, ...]
    sums: bytes
    hidden: bytes

    def row(self) -> Numbers:
        """Return the sums as `sums_row` does; empty without speech."""
        return np.frombuffer(self.sums, np.float32).astype(np.float64)

    def tiles(self, segments: int) -> Samples:
        """Return the values of the head's first map, shape [segments, h]."""
        return np.frombuffer(self.hidden, np.float32).reshape(segments, -1)


def keep(model: Model, heard: Heard) -> KeptTiles:
    """Return what is kept of a recording.

    Raises:
        ModelError: the model cannot adapt.
    """
    voices = voices_of(model, heard, GROUPS["recording"])
    if not voices:
        return KeptTiles(heard.notices, b"", b"")
    row = sums_row(voices[None].unlabelled)
    return KeptTiles(heard.notices, row.astype(np.float32).tobytes(), model.hidden(heard.statistics).tobytes())


def sums_row(voice: VoiceStatistics) -> Numbers:
    """Return sums as one row of numbers; the sum of two rows is that of the sums."""
    single = [voice.clips, voice.seconds, voice.squares, voice.entropy]
    return np.concatenate([single, voice.total, voice.moments.ravel(), voice.scores])


def row_width(adaptation: Adaptation) -> int:
    """Return how many numbers a row of `sums_row` has."""
    d, p = adaptation.axes.shape
    return int(_SINGLE + p + d * d + adaptation.apart.shape[1])


def sums_of(row: Numbers, adaptation: Adaptation) -> VoiceStatistics:
    """Return the sums that a row of `sums_row` stands for.

    Raises:
        ValueError: the row has another width.
        ModelError: a number is not finite.
    """
    d, p = adaptation.axes.shape
    total, moments, scores = np.split(row[_SINGLE:], [p, p + d * d])
    clips, seconds, squares, entropy = row[:_SINGLE].tolist()
    if len(row) != row_width(adaptation):
        raise ValueError(f"got {len(row)} sums, expected {row_width(adaptation)}")
    return VoiceStatistics(round(clips), seconds, total, squares, moments.reshape(d, d), scores, entropy)
