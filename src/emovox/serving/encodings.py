"""What a WebSocket frame holds: 16-bit integers, floats, and the two logarithmic codes of telephony (ITU-T G.711)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples

Encoding = Literal["s16le", "f32le", "mulaw", "alaw"]

Flat = npt.NDArray[np.float32]
"""Interleaved samples [n * channels]."""

WIDTHS: dict[Encoding, int] = {"s16le": 2, "f32le": 4, "mulaw": 1, "alaw": 1}
"""Bytes a sample."""

_HALF = np.float32(2.0**-15)


def decode(data: bytes, *, encoding: Encoding, channels: int) -> Samples:
    r"""Turn bytes into samples.

    Args:
        data: whole samples of all channels, interleaved.
        encoding: a key of `WIDTHS`.
        channels: how many are interleaved.

    Returns:
        [channels, n] float32 in [-1, 1]; floats as they are, NaN and all.

    >>> decode(b"\x00\x00\x00\x80\xff\x7f\x00\x40", encoding="s16le", channels=2).tolist()
    [[0.0, 0.999969482421875], [-1.0, 0.5]]
    """
    return _DECODERS[encoding](data).reshape(-1, channels).T


def mulaw_table() -> Flat:
    """Return the value of each µ-law byte, [256] float32: bits inverted; sign, 3 bits of exponent, 4 of mantissa."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = (((mantissa << 3) + 132) << exponent) - 132  # 132: the bias of 33 in 14 bits, here in 16
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.float32) * _HALF


def alaw_table() -> Flat:
    """Return the value of each A-law byte, [256] float32: even bits inverted; sign, 3 bits exponent, 4 mantissa."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    linear = (mantissa << 4) + 8
    magnitude = np.where(exponent == 0, linear, (linear + 256) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.float32) * _HALF


_MULAW, _ALAW = mulaw_table(), alaw_table()

_DECODERS: dict[Encoding, Callable[[bytes], Flat]] = {
    "s16le": lambda data: np.frombuffer(data, "<i2").astype(np.float32) * _HALF,
    "f32le": lambda data: np.frombuffer(data, "<f4").astype(np.float32),
    "mulaw": lambda data: _MULAW[np.frombuffer(data, np.uint8)],
    "alaw": lambda data: _ALAW[np.frombuffer(data, np.uint8)],
}
