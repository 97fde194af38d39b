"""The sound of a file that a child process decodes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import numpy as np

from emovox.audio.child import ChildConnection
from emovox.audio.messages import Ended, OpenedFile
from emovox.audio.types import Reading, Samples
from emovox.schema.result import Notice


class ChildDecoder:
    """A `Decoder` whose work is done in a child process.

    Args:
        file: an open seekable file; its position may change.
        name: name of the recording in messages.
        reading: as for `ChildConnection`.
        owned: whether `close` closes the file.
        media: as for `ChildConnection`.

    Raises:
        EmovoxError: as `open_decoder`; or the child process exceeds its limits, or crashes.
    """

    def __init__(self, file: BinaryIO, *, name: str, reading: Reading, owned: bool, media: bool) -> None:
        self._file = file if owned else None
        self.damage: str | None = None
        self.notices: tuple[Notice, ...] = ()
        self.share = 0.0
        self._child = ChildConnection(file, name=name, reading=reading, media=media)
        try:
            kind, size = self._child.next()
            opened = msgspec.json.decode(self._child.text(size, kind, b"O"), type=OpenedFile)
        except BaseException:
            self._child.close()
            raise
        self.rate, self.channels, self.frames = opened.rate, opened.channels, opened.frames
        self.is_exact = opened.is_exact

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [channels, n], float32, n about `frames`."""
        self._child.send(struct.pack("<I", frames))
        while True:
            kind, size = self._child.next()
            if kind != b"B":
                break
            data = self._child.data(size)
            self.share = struct.unpack_from("<d", data)[0]
            yield np.frombuffer(data, np.float32, offset=8).reshape(self.channels, -1)
        ended = msgspec.json.decode(self._child.text(size, kind, b"E"), type=Ended)
        self.damage, self.notices = ended.damage, ended.notices

    def close(self) -> None:
        """End the child process, and close the file if it was opened here."""
        self._child.close()
        if self._file is not None:
            self._file.close()
