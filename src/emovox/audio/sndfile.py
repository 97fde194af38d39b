"""Decode wav, flac, ogg, opus, mp3, aiff … with libsndfile; imported when a file is opened, since it takes 16 ms."""

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
"""Size in bytes from which the header's size is unknown: SoX and ffmpeg write it, or more, into a wav on a pipe."""

_UNKNOWN_FRAMES = 2**62
"""Length from which libsndfile does not know the length: flac from a pipe, or from an interrupted recording."""


class FileDecoder:
    """A decoder for the formats of libsndfile.

    A truncated file yields the part that can be decoded. libsndfile raises (flac), stops early (mp3), or corrects the
    header and only logs it (wav, ogg). All three show in `damage` or in fewer samples than `frames`.

    Args:
        source: a path, or an open seekable file.
        name: name of the recording in messages.

    Raises:
        UndecodableError: libsndfile does not read the format.
    """

    def __init__(self, source: str | BinaryIO, *, name: str) -> None:
        try:
            # Bytes, since soundfile cannot encode a name that is not UTF-8.
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
        """Yield samples of shape [channels, n], float32, n <= `frames`, to the end or the first damage."""
        start = 0
        while True:
            block = np.empty((frames, self.channels), np.float32)
            try:
                n = len(self._file.read(out=block))
            except soundfile.LibsndfileError as error:
                # `block` already holds the samples before the damage; the position gives their number.
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
    """A file that is only read forward.

    `SoundFile.read` seeks to the current position after every block. In mp3 that drops the bits that a frame borrows
    from its predecessors, and the first frame of a block is damaged.
    """

    def seekable(self) -> bool:
        """Return False, so that `read` does not seek."""
        return False


def _cut_off(log: str) -> str | None:
    if _CUT_OGG in log:
        return "the end of the stream is missing"
    if (sizes := _CUT_DATA.search(log)) and int(sizes[1]) < _UNKNOWN_SIZE:
        return f"the header promises {sizes[1]} bytes, {sizes[2]} are there"
    return None


def _reason(error: Exception) -> str:
    return getattr(error, "error_string", str(error)).strip(" .") or "damaged data"
