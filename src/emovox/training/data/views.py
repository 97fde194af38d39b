"""Views of a clip: its tiles as `predict` cuts them, the whole, and changed copies of the tiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

from emovox.audio.types import Samples

TILE = "tile"
"""A tile as `predict` cuts it."""

WHOLE = "whole"
"""The clip in one piece."""

NARROW = "narrow"
"""A tile that went through 8 kHz, as on the telephone: nothing above 4 kHz."""

SPEAKER = "speaker-norm"
"""The tiles of a clip, normalised by the statistics of its speaker: no sound of its own, but a figure of its own."""

TELEPHONE_RATE = 8000

_SPEED = "speed "


def speed_view(factor: float) -> str:
    """Name the view of a tile that is played `factor` times as fast.

    >>> speed_view(0.93)
    'speed 0.93'
    """
    return f"{_SPEED}{factor:g}"


def change(samples: Samples, rate: int, view: str) -> Samples:
    """Turn a tile into one of its views.

    Args:
        samples: [n] float32.
        rate: in Hz.
        view: `TILE`, `NARROW` or a `speed_view`.

    Returns:
        [n'] float32 at the same rate; a faster copy is shorter.
    """
    if view == TILE:
        return samples
    if view == NARROW:
        return _resample(_resample(samples, rate, TELEPHONE_RATE), TELEPHONE_RATE, rate)
    return _resample(samples, rate, rate / float(view.removeprefix(_SPEED)))


def computed(extra: Sequence[str]) -> tuple[str, ...]:
    """Return the views of tiles that are computed: the tile, the telephone's (for every report), and the copies."""
    return tuple(dict.fromkeys((TILE, NARROW, *(view for view in extra if view != WHOLE))))


def _resample(samples: Samples, rate: float, target: float) -> Samples:
    return np.asarray(soxr.resample(samples, rate, target), np.float32)
