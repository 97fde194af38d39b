"""Input of every feature: one channel of finite float32 samples, padded with zeros so that frames are centred."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples
from emovox.schema.errors import ChannelError, ConfigError, EmptyAudioError, NonFiniteError


def mono(samples: npt.NDArray[np.generic]) -> Samples:
    """Check one channel of audio and return it as contiguous float32, without a copy if it already is.

    Args:
        samples: shape [n], real numbers, n >= 1, normally in [-1, 1].

    Returns:
        Shape [n], float32; it may share memory with the input, which no feature modifies.

    Raises:
        ChannelError: `samples` is not one-dimensional.
        EmptyAudioError: `samples` has 0 samples.
        NonFiniteError: `samples` has NaN or infinity.

    >>> mono(np.zeros(3)).dtype
    dtype('float32')
    """
    if samples.ndim != 1:
        raise ChannelError(f"got samples of shape {samples.shape}, expected [n]; mix the channels or take one of them")
    if samples.size == 0:
        raise EmptyAudioError("got 0 samples, expected at least 1; check that the recording is not empty")
    result = np.ascontiguousarray(samples, dtype=np.float32)
    if not np.isfinite(result).all():
        position = int(np.argmin(np.isfinite(result)))
        raise NonFiniteError(f"sample {position} is {result[position]}, expected finite numbers; repair the recording")
    return result


def pad(samples: Samples, *, length: int, hop: int, extra: int = 0) -> Samples:
    """Pad with zeros, so that frame t of the result begins at t * hop and is centred on sample t * hop of the input.

    Args:
        samples: shape [n], float32.
        length: frame length in samples, even; half of it is added in front.
        hop: step between frames in samples, >= 1.
        extra: further zeros at the end that a kernel may read.

    Returns:
        Shape [length + n + extra], float32, a copy with all 1 + n // hop frames complete.

    Raises:
        ConfigError: `length` is odd, so frames have no centre, or `hop` is below 1.

    >>> pad(np.ones(3, np.float32), length=4, hop=2).tolist()
    [0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    if length < 2 or length % 2 or hop < 1:
        raise ConfigError(f"got frames of {length} samples every {hop}, expected an even length and a hop of 1 or more")
    result = np.zeros(length + samples.size + extra, np.float32)
    result[length // 2 : length // 2 + samples.size] = samples
    return result


def n_frames(n_samples: int, hop: int) -> int:
    """Return the number of centred frames of `n_samples` samples: 1 + n_samples // hop.

    >>> n_frames(48000, 160)
    301
    """
    return 1 + n_samples // hop
