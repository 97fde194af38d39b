"""The pictures of a video that a child process decodes, within limits of memory and time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import numpy as np

from emovox.audio.child import ChildConnection
from emovox.audio.messages import PICTURE, Ended
from emovox.audio.pictures import LONGEST_SIDE, RATE, VideoPicture
from emovox.audio.types import Reading
from emovox.schema.errors import VideoError

_BEFORE = 10
"""Pictures before the time 0, or that a clock which jumps adds: more than `rate` for each second are refused."""


class ChildPictures:
    """Pictures as of `VideoFrames`, decoded in a child process; iterate once.

    Args:
        file: an open seekable file; its position may change.
        name: of the recording in messages.
        reading: its `check` is called at least every 0.1 s.
        end: time in seconds from which pictures are not needed.
        rate: pictures a second.
    """

    def __init__(self, file: BinaryIO, *, name: str, reading: Reading, end: float, rate: float = RATE) -> None:
        self.name = name
        self.damage: str | None = None
        """As in `VideoFrames`."""
        self._file, self._reading, self._end, self._rate = file, reading, end, rate

    def __iter__(self) -> Iterator[VideoPicture]:
        """Yield the pictures in time order, and end the process.

        Raises:
            VideoError: as `VideoFrames`; or there are more pictures than their times allow.
            UndecodableError: the child process exceeds its limits, or crashes.
            MissingExtraError: PyAV is not installed.
        """
        child = ChildConnection(self._file, name=self.name, reading=self._reading, media=True, pictures=self._rate)
        most, count = _BEFORE + math.ceil(self._end * self._rate), 0
        try:
            while (message := child.next())[0] == b"P":
                picture = _picture(child, message[1])
                if picture.time >= self._end:
                    return
                if (count := count + 1) > most:
                    raise VideoError(
                        f"{self.name}: got more than {most} pictures in {self._end:.1f} s, expected {self._rate:g} a "
                        "second; convert the video, or leave the face out"
                    )
                yield picture
            kind, size = message
            self.damage = msgspec.json.decode(child.text(size, kind, b"E"), type=Ended).damage
        finally:
            child.close()


def _picture(child: ChildConnection, size: int) -> VideoPicture:
    if not PICTURE.size < size <= PICTURE.size + 3 * LONGEST_SIDE**2:
        raise child.lost()
    data = child.data(size)
    time, scale, height, width = PICTURE.unpack_from(data)
    if not math.isfinite(time) or not math.isfinite(scale) or 3 * height * width != size - PICTURE.size:
        raise child.lost()
    return VideoPicture(time, np.frombuffer(data, np.uint8, offset=PICTURE.size).reshape(height, width, 3), scale)
