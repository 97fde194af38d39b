"""Array and argument types of the audio package, and the parser of a channel choice."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.float32]
"""Audio in [-1, 1]: [channels, n], or [n] for mono."""

AudioInput: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | tuple[npt.NDArray[np.generic], int]
"""A path, the bytes of a file, an open binary file, or (samples [n] or [channels, n], sample rate in Hz)."""

ChannelChoice: TypeAlias = Literal["mix", "split"] | int
"""Mean of all channels, every channel separately, or the channel with this index from 0."""

TOLERATED_LOSS = 0.1
"""Seconds that may be missing without a notice: lossy formats round their length to whole packets."""

Encoding: TypeAlias = Literal["s16le", "f32le", "mulaw", "alaw"]
"""Encoding of bare samples: 16-bit integers, floats in [-1, 1], or µ-law and A-law of telephony (ITU-T G.711)."""

ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

MAX_RATE = 2**31 - 1
"""Highest sample rate in Hz that a file header can hold."""


class RawFormat(NamedTuple):
    """What bare samples of one channel are: their encoding and their rate in Hz."""

    encoding: Encoding
    rate: int


def go_on() -> None:
    """Let a reading go on."""


@dataclass(frozen=True)
class Reading:
    """How to read a recording.

    Attributes:
        track: number of the audio track of a video or a container, from 0; None takes the default one.
        raw: what the bytes are if they are bare samples without a header; None recognises the form by content.
        isolated: whether a child process with limits decodes every file; otherwise only mp3 and what ffmpeg decodes.
        check: called often while a file is opened and decoded, from the thread that reads; what it raises ends it.
    """

    track: int | None = None
    raw: RawFormat | None = None
    isolated: bool = False
    check: Callable[[], None] = go_on


DEFAULT_READING = Reading()
"""The default track, and a form that the content tells."""

LARGEST = 2.0**31
"""Largest magnitude in any scale: samples beyond it are not audio, and their squares overflow float32."""

LOUDEST = 8.0
"""Largest valid magnitude: 18 dB above full scale. Samples beyond it are in another scale, such as 16-bit values."""

_SCALES = (2.0**7, 2.0**15, 2.0**23, 2.0**31)
"""Full scales of integers."""

_MOST_DIGITS = 6
"""Most digits of a channel number."""


def divisor_of(peak: float) -> int:
    """Return the full scale by which samples with this peak were probably multiplied.

    >>> divisor_of(20_000.0), divisor_of(90.0)
    (32768, 128)
    """
    return int(next((scale for scale in _SCALES if peak <= scale), _SCALES[-1]))


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


def parse_raw(text: str) -> RawFormat:
    """Parse what bare samples are: "ENCODING,RATE", or a rate alone for 16-bit integers.

    Raises:
        ValueError: the text is neither.

    >>> parse_raw("mulaw,8000"), parse_raw("16000").encoding
    (RawFormat(encoding='mulaw', rate=8000), 's16le')
    """
    encoding, _, rate = text.rpartition(",")
    known = next((name for name in ENCODINGS if name == (encoding or "s16le")), None)
    if known is None or not rate.isdecimal() or not rate.isascii() or len(rate) > 10 or not 1 <= int(rate) <= MAX_RATE:
        raise ValueError(
            f"got '{text[:20]}', expected an encoding ({', '.join(ENCODINGS)}) and a rate in Hz, such as mulaw,8000"
        )
    return RawFormat(known, int(rate))
