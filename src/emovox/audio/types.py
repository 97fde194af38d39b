"""Array and argument types of the audio layer."""

from __future__ import annotations

import os
from typing import BinaryIO, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.float32]
"""Audio in [-1, 1]: [channels, n], or [n] for mono."""

AudioInput: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | tuple[npt.NDArray[np.generic], int]
"""A path, the bytes of a file, an open binary file, or (samples [n] or [channels, n], sample rate in Hz)."""

ChannelChoice: TypeAlias = Literal["mix", "split"] | int
"""Average of all channels, each on its own, or the one with this index (from 0)."""
