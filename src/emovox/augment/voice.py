"""Another vocal tract: pitch and formants move together, the tempo stays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

from emovox.audio.types import Samples
from emovox.augment.bounds import RATE, bounded
from emovox.augment.config import Voice

_FRAME, _HOP, _SEARCH = 640, 320, 160
"""Frame, step of the result and largest displacement in samples: 40, 20 and 10 ms, a period of a low voice."""


def change_voice(samples: Samples, factor: float) -> Samples:
    """Multiply pitch and formants by a factor: resample, which changes the tempo too, and stretch the time back.

    Args:
        samples: shape [n], float32.
        factor: 0.5 to 2; above 1 is a smaller vocal tract.

    Returns:
        Shape [n], float32 in [-1, 1].
    """
    return bounded(stretched(soxr.resample(samples, RATE, RATE / factor), len(samples)))


def stretched(samples: Samples, n: int) -> Samples:
    """Stretch a clip to `n` samples at the same pitch by overlapping frames (WSOLA).

    Each frame is taken near the place where it belongs, displaced by up to 10 ms to where it continues the frame before
    it best.

    Args:
        samples: shape [m], float32.
        n: samples of the result.

    Returns:
        Shape [n], float32.

    Reference:
        Verhelst and Roelands, "An overlap-add technique based on waveform similarity (WSOLA)", ICASSP 1993.
    """
    count = n // _HOP + 2
    places = np.arange(count) * _HOP * len(samples) // max(n, 1) + _SEARCH  # in the padded clip
    padded = np.pad(samples, (_FRAME // 2 + _SEARCH, _FRAME + _HOP + 2 * _SEARCH))
    window = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
    result, follows = np.zeros((count + 1) * _HOP, np.float32), _SEARCH
    for number, due in enumerate(places):
        place = _best(padded, int(due), padded[follows : follows + _FRAME])
        result[number * _HOP : number * _HOP + _FRAME] += window * padded[place : place + _FRAME]
        follows = place + _HOP
    return result[_HOP : _HOP + n]


def _best(padded: Samples, place: int, pattern: npt.NDArray[np.float32]) -> int:
    """Return the place near `place` where the clip is most like a pattern of shape [_FRAME]."""
    near = padded[place - _SEARCH : place + _SEARCH + _FRAME]
    return place - _SEARCH + int(np.correlate(near, pattern, "valid").argmax())


def random_voice(samples: Samples, config: Voice, rng: np.random.Generator) -> Samples:
    """Change the voice by a random factor; samples and result have shape [n]."""
    return change_voice(samples, float(rng.uniform(config.lowest, config.highest)))
