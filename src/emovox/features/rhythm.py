"""Rhythm: pauses, voicing and speaking rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.features.spectrum import Frames
from emovox.features.statistics import count_runs

PAUSE_DEPTH_DB = 25.0
"""Depth of a pause in dB below the loudest frame; relative, so the level of the recording does not matter."""

RHYTHM_NAMES = (
    "pause_share",
    "pause_rate",
    "pause_length",
    "voiced_share",
    "voiced_rate",
    "voiced_length",
    "peak_rate",
)
"""Names of the values of `rhythm`: shares in [0, 1], rates per second, mean lengths in seconds. `peak_rate` counts
level peaks above the median, which follow the syllables."""


def rhythm(level: Frames, voiced: npt.NDArray[np.bool_], *, frame_seconds: float, pitch_seconds: float) -> Frames:
    """Measure pauses, voiced stretches and the rate of level peaks.

    Args:
        level: level in dB, shape [t], one value every `frame_seconds`.
        voiced: shape [t2], bool, one value every `pitch_seconds`.
        frame_seconds: step of `level` in seconds.
        pitch_seconds: step of `voiced` in seconds.

    Returns:
        Shape [7], float32, named by `RHYTHM_NAMES`.
    """
    silent = level < level.max() - PAUSE_DEPTH_DB
    seconds = len(level) * frame_seconds
    inner = level[1:-1]
    peaks = (inner > level[:-2]) & (inner >= level[2:]) & (inner > np.median(level))
    pauses, stretches = count_runs(silent), count_runs(voiced)
    return np.array(
        [
            silent.mean(),
            pauses / seconds,
            silent.sum() * frame_seconds / max(pauses, 1),
            voiced.mean(),
            stretches / seconds,
            voiced.sum() * pitch_seconds / max(stretches, 1),
            peaks.sum() / seconds,
        ],
        np.float32,
    )
