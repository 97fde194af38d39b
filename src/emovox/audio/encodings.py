"""Decode bare samples: 16-bit integers, floats, and µ-law and A-law of telephony (ITU-T G.711)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from emovox.audio import g711
from emovox.audio.g711 import Law
from emovox.audio.types import Encoding, Samples

Flat = npt.NDArray[np.float32]
"""Interleaved samples [n * channels]."""

WIDTHS: dict[Encoding, int] = {"s16le": 2, "f32le": 4, "mulaw": 1, "alaw": 1}
"""Bytes per sample."""

_HALF = np.float32(2.0**-15)


def decode(data: bytes, *, encoding: Encoding, channels: int) -> Samples:
    r"""Return the samples of interleaved channels.

    Args:
        data: whole samples of all channels, interleaved.
        encoding: a key of `WIDTHS`.
        channels: number of interleaved channels.

    Returns:
        [channels, n] float32 in [-1, 1]; floats are not changed, NaN included.

    >>> decode(b"\x00\x00\x00\x80\xff\x7f\x00\x40", encoding="s16le", channels=2).tolist()
    [[0.0, 0.999969482421875], [-1.0, 0.5]]
    """
    return _DECODERS[encoding](data).reshape(-1, channels).T


def law_table(law: Law) -> Flat:
    """Return the sample of each G.711 byte, shape [256], float32 in [-1, 1]; a look-up costs less than decoding."""
    return g711.decode(np.arange(256, dtype=np.uint8), law).astype(np.float32) * _HALF


_MULAW, _ALAW = law_table("mu"), law_table("a")

_DECODERS: dict[Encoding, Callable[[bytes], Flat]] = {
    "s16le": lambda data: np.frombuffer(data, "<i2").astype(np.float32) * _HALF,
    "f32le": lambda data: np.frombuffer(data, "<f4").astype(np.float32),
    "mulaw": lambda data: _MULAW[np.frombuffer(data, np.uint8)],
    "alaw": lambda data: _ALAW[np.frombuffer(data, np.uint8)],
}
