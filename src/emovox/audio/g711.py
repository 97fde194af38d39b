"""G.711: the 8-bit logarithmic codes of telephone speech, for arrays.

Reference: ITU-T Recommendation G.711, tables 1a to 2b; signs, ties and overload as in the ITU-T's software tool library
(G.191).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Law = Literal["mu", "a"]
"""Companding law: "mu" in North America and Japan, "a" elsewhere."""
Codes = npt.NDArray[np.uint8]
Pcm = npt.NDArray[np.int16]

_BIAS = 33
"""Offset of 14-bit magnitudes in the µ-law; with it every segment begins at a power of two."""


def encode(pcm: Pcm, law: Law) -> Codes:
    """Encode 16-bit samples of any shape as codes of the same shape.

    The µ-law uses the upper 14 bits of a sample, the A-law the upper 13.

    >>> encode(np.array([0, 1000, -32768], np.int16), "mu").tolist()
    [255, 206, 0]
    """
    sign = np.where(pcm < 0, 0, 0x80)
    magnitude = (pcm ^ (pcm >> 15)).astype(np.int32)  # ones' complement: -1 has the magnitude of 0
    if law == "mu":
        biased = np.minimum((magnitude >> 2) + _BIAS, 0x1FFF)
        segment = _exponent(biased) - 5
        code = (segment << 4) | ((biased >> (segment + 1)) & 15)
        return np.asarray((code | sign) ^ 0x7F, np.uint8)
    magnitude >>= 4
    segment = np.maximum(_exponent(magnitude) - 3, 0)
    code = (segment << 4) | ((magnitude >> np.maximum(segment - 1, 0)) & 15)
    return np.asarray((code | sign) ^ 0x55, np.uint8)


def decode(codes: Codes, law: Law) -> Pcm:
    """Decode codes of any shape to 16-bit samples of the same shape.

    >>> decode(np.array([0, 255, 128], np.uint8), "mu").tolist(), decode(np.array([0x2A, 0xD5], np.uint8), "a").tolist()
    ([-32124, 0, 32124], [-32256, 8])
    """
    code = codes.astype(np.int32) ^ (0x7F if law == "mu" else 0x55)
    segment, mantissa = (code >> 4) & 7, code & 15
    if law == "mu":
        magnitude = (((2 * mantissa + _BIAS) << segment) - _BIAS) << 2
    else:
        magnitude = (mantissa * 16 + 8 + np.where(segment > 0, 256, 0)) << np.maximum(segment - 1, 0)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _exponent(magnitude: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the floor of the logarithm to base 2; -1 for 0."""
    return np.frexp(magnitude.astype(np.float32))[1] - 1
