"""A read-only view of a file: a part of it, or the file with some bytes replaced, as decoders read it."""

from __future__ import annotations

import bisect
import io
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import BinaryIO, NamedTuple

from emovox.audio.types import go_on
from emovox.schema.errors import UnreadableError

Piece = bytes | range
"""Literal bytes, or the bytes of the file at these positions."""


class FilePart(NamedTuple):
    """One recording of a file, which may hold several one after the other.

    Attributes:
        pieces: what to decode: bytes of the file, with counts and sizes that are right.
        missing: bytes that the header promises beyond the end of the file.
        unfinished: bytes of sound of which the header does not know, as after the crash of a recorder.
        header: bytes before the sound, where they are known.
    """

    pieces: tuple[Piece, ...]
    missing: int = 0
    unfinished: int = 0
    header: int = 0


_WINDOW = 2**20
"""Bytes that `windows` reads at a time."""


class FileView:
    """A binary file made of pieces of another one; a decoder can only read it and seek in it.

    It has no name, so that no decoder guesses a format from one. An error while reading is kept in `error`, and the
    decoder gets the end of the file: C libraries print or lose exceptions of Python's functions. The position is the
    view's, so several views of one file do not disturb each other.

    Args:
        file: an open seekable file.
        pieces: what the view consists of; None is the whole file.
        name: name of the recording in messages.
        owned: whether `close` closes the file, too.
        check: called before each read; what it raises ends the reading (cancellation, a deadline).
    """

    def __init__(
        self,
        file: BinaryIO,
        pieces: Sequence[Piece] | None = None,
        *,
        name: str = "",
        owned: bool = False,
        check: Callable[[], None] = go_on,
    ) -> None:
        self.file, self.owned, self.check = file, owned, check
        self._name = name
        self._pieces = [range(length_of(file))] if pieces is None else [piece for piece in pieces if len(piece)]
        self._ends = list(accumulate(len(piece) for piece in self._pieces))
        self.size = self._ends[-1] if self._ends else 0
        self.furthest = 0
        """The largest position that was read."""
        self.error: Exception | None = None
        self._position = 0

    def part(self, *pieces: Piece) -> FileView:
        """Return a view of the same file that consists of other pieces; ranges are positions in this view."""
        made: list[Piece] = []
        for piece in pieces:
            made += [piece] if isinstance(piece, bytes) else self._slices(piece)
        return FileView(self.file, made, name=self._name, owned=self.owned, check=self.check)

    def at(self, position: int, count: int) -> bytes:
        """Return up to `count` bytes at a position; the position of `read` does not change."""
        found = []
        while count > 0 and 0 <= position < self.size:
            index = bisect.bisect_right(self._ends, position)
            piece = self._pieces[index]
            offset = position - self._ends[index] + len(piece)
            data = self._bytes(piece[offset : offset + count])
            if not data:
                break
            found.append(data)
            position, count = position + len(data), count - len(data)
        return found[0] if len(found) == 1 else b"".join(found)

    def windows(self, overlap: int) -> Iterator[tuple[int, bytes]]:
        """Yield (position, bytes) over the whole view; each window begins with the last `overlap` bytes before it."""
        for start in range(0, max(self.size, 1), _WINDOW):
            first = max(0, start - overlap)
            yield first, self.at(first, start - first + _WINDOW)

    def read(self, count: int = -1) -> bytes:
        """Return up to `count` bytes and move on; nothing at the end and after an error."""
        if self.error is not None:
            return b""
        try:
            data = self.at(self._position, self.size if count < 0 else count)
        except Exception as error:  # of any kind: the decoder raises it once the library has returned
            self.error = error
            return b""
        self._position += len(data)
        self.furthest = max(self.furthest, self._position)
        return data

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` as far as there are bytes, and return their number."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position, at most to the end, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = min(max(base + offset, 0), self.size)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def close(self) -> None:
        """Close the file if it is owned."""
        if self.owned:
            self.file.close()

    def raise_error(self) -> None:
        """Raise the error that ended the reading, if there was one; one of the disk as `UnreadableError`."""
        if isinstance(self.error, OSError):
            reason = self.error.strerror or self.error
            raise UnreadableError(
                f"{self._name}: could not be read to its end ({reason}), expected a whole file; copy it again"
            ) from self.error
        if self.error is not None:
            raise self.error

    def _slices(self, wanted: range) -> Iterator[Piece]:
        start = 0
        for piece, end in zip(self._pieces, self._ends, strict=True):
            first, last = max(wanted.start, start), min(wanted.stop, end)
            if first < last:
                yield piece[first - start : last - start]
            start = end

    def _bytes(self, piece: Piece) -> bytes:
        self.check()
        if isinstance(piece, bytes):
            return piece
        self.file.seek(piece.start)
        return self.file.read(len(piece))


def length_of(file: BinaryIO) -> int:
    """Return the number of bytes of an open seekable file; its position becomes its beginning."""
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return length
