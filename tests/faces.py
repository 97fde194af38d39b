"""Drawn faces and videos of them: no picture of a person is needed."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from emovox.audio.pictures import Image
from emovox.audio.types import Samples
from emovox.testing import RATE

Plane = npt.NDArray[np.float64]

_UPRIGHT = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_TURNED = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
"""The matrix in the header of an mp4 that says how to show the pictures."""


def drawn_face(size: int = 200) -> Image:
    """Return a picture [size, size, 3] of a drawn face that fills most of it."""
    line = np.linspace(-1, 1, size)
    x, y = line[None, :], line[:, None]
    image = np.full((size, size, 3), 235.0)

    def paint(mask: Plane, colour: tuple[int, int, int], soft: float = 0.04) -> None:
        weight = 1 / (1 + np.exp(np.clip(mask / soft, -50, 50)))[..., None]
        image[:] = image * (1 - weight) + np.array(colour) * weight

    def oval(cx: float, cy: float, rx: float, ry: float) -> Plane:
        return np.asarray(np.hypot((x - cx) / rx, (y - cy) / ry) - 1)

    paint(oval(0, -0.15, 0.72, 0.85), (60, 40, 30))  # hair
    paint(oval(0, 0.05, 0.58, 0.8), (215, 170, 145))  # face
    for side in (-1, 1):
        paint(oval(0.24 * side, -0.3, 0.16, 0.035), (80, 55, 45))  # brow
        paint(oval(0.24 * side, -0.15, 0.12, 0.06), (245, 240, 240))
        paint(oval(0.24 * side, -0.15, 0.055, 0.06), (50, 35, 30))
        paint(oval(0.07 * side, 0.2, 0.04, 0.03), (150, 100, 85))  # nostril
        paint(oval(0.24 * side, -0.08, 0.14, 0.05), (190, 145, 120), 0.4)
    paint(oval(0, 0.08, 0.05, 0.2), (225, 185, 160), 0.3)
    paint(oval(0, 0.46, 0.22, 0.07), (170, 80, 80))
    paint(oval(0, 0.46, 0.2, 0.012), (90, 40, 40))
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def scene(*faces: tuple[int, int], size: int = 150, height: int = 270, width: int = 480) -> Image:
    """Return a picture [height, width, 3] with a drawn face at each (left, top)."""
    image = np.full((height, width, 3), 235, np.uint8)
    for left, top in faces:
        image[top : top + size, left : left + size] = drawn_face(size)
    return image


def write_video(
    path: Path,
    pictures: Sequence[Image],
    *,
    rate: int = 10,
    times: Sequence[float] | None = None,
    sound: Samples | None = None,
    turned: bool = False,
) -> Path:
    """Write an mp4 of pictures, `rate` a second or at `times`, with sound [n] at 16 kHz.

    `turned` sets the rotation by which a telephone marks portrait: players turn the pictures to the right.
    """
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4", rate=rate, width=width, height=height, pix_fmt="yuv420p", bit_rate=4_000_000)
        video.codec_context.time_base = Fraction(1, 1000)
        audio = None if sound is None else output.add_stream("aac", rate=RATE, layout="mono")
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            time = number / rate if times is None else times[number]
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if audio is not None and sound is not None:
            heard = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            heard.sample_rate, heard.pts = RATE, 0
            output.mux(audio.encode(heard))
            output.mux(audio.encode(None))
    if turned:  # the matrix of the track, which comes after that of the film
        film, track, rest = path.read_bytes().split(_UPRIGHT, 2)
        path.write_bytes(film + _UPRIGHT + track + _TURNED + rest)
    return path
