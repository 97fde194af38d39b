"""Array and argument types of the audio package, and the parser of a channel choice."""

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
"""Mean of all channels, every channel separately, or the channel with this index from 0."""

_MOST_DIGITS = 6
"""Most digits of a channel number."""


def parse_channels(text: str) -> ChannelChoice:
    """Parse a channel choice from text: "mix", "split", or a channel number from 0.

    Raises:
        ValueError: the text is none of them.

    >>> parse_channels("split"), parse_channels("1")
    ('split', 1)
    """
    if text == "mix" or text == "split":
        return "mix" if text == "mix" else "split"
    if text.isdecimal() and len(text) <= _MOST_DIGITS:
        return int(text)
    raise ValueError(f"got '{text[:20]}', expected mix, split, or a channel number from 0")
