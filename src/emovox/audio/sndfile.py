"""Decode wav, flac, ogg, opus, mp3, aiff … with libsndfile; imported when a file is opened, since it costs 16 ms."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soundfile

from emovox.audio.types import Samples
from emovox.schema.errors import UndecodableError

_CUT_DATA = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)
_CUT_OGG = "lacks an end-of-stream bit"
_UNKNOWN_SIZE = 0x7FFFF000
"""Programs that write wav to a pipe put this size or a greater one into the header (SoX, ffmpeg)."""

_UNKNOWN_FRAMES = 2**62
"""From here on libsndfile means that it does not know: flac from a pipe, or from a recording that was cut off."""


class FileDecoder:
    """Decode a file block by block.

    A truncated file gives what can be decoded. libsndfile raises (flac), stops early (mp3) or silently corrects the
    header and only logs it (wav, ogg); all three end up in `damage` or in fewer samples than `frames`.

    Args:
        source: a path, or an open seekable file.
        name: what to call it in messages.

    Raises:
        UndecodableError: libsndfile does not know the format.
    """

    def __init__(self, source: str | BinaryIO, *, name: str) -> None:
        try:
            # As bytes, since soundfile cannot encode a name that is not UTF-8.
            self._file = _ForwardFile(os.fsencode(source) if isinstance(source, str) else source)
        except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a path that ends in .raw
            raise UndecodableError(
                f"{name}: got bytes that are not audio ({_reason(error)}), expected wav, flac, ogg, opus, mp3, m4a, "
                "webm or mp4; convert the file, or check that it is what its name says"
            ) from error
        self.rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.frames: int | None = self._file.frames if self._file.frames < _UNKNOWN_FRAMES else None
        self.damage = _cut_off(self._file.extra_info)

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples [channels, n] float32, n <= `frames`, until the end or the first damage."""
        start = 0
        while True:
            block = np.empty((frames, self.channels), np.float32)
            try:
                n = len(self._file.read(out=block))
            except soundfile.LibsndfileError as error:
                # What was decoded before the damage lies in `block` already; only the position tells how much.
                n = min(max(self._file.tell() - start, 0), frames)
                self.damage = f"decoding stopped: {_reason(error)}"
            start += n
            if n:
                yield block[:n].T
            if n < frames:
                return

    def close(self) -> None:
        """Close libsndfile's handle."""
        self._file.close()


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read forward only.

    `SoundFile.read` seeks after every block to where it is anyway. In mp3 that drops the bits that frames borrow from
    their predecessors: the first frame of a block comes out damaged.
    """

    def seekable(self) -> bool:
        """Say no, so that `read` leaves the position alone."""
        return False


def _cut_off(log: str) -> str | None:
    if _CUT_OGG in log:
        return "the end of the stream is missing"
    if (sizes := _CUT_DATA.search(log)) and int(sizes[1]) < _UNKNOWN_SIZE:
        return f"the header promises {sizes[1]} bytes, {sizes[2]} are there"
    return None


def _reason(error: Exception) -> str:
    return getattr(error, "error_string", str(error)).strip(" .") or "damaged data"
