"""Read the chunks of wav, aiff and caf before a decoder does: how much sound lies in the file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from emovox.audio.view import FilePart, FileView, Piece

MOST_CHUNKS = 1000
"""Most chunks before the sound; recorders write a dozen."""

_UNKNOWN_SIZE = 0x7FFFF000
"""Size in bytes from which the header's size is unknown: SoX and ffmpeg write it, or more, into a wav on a pipe."""

_LARGEST = 2**32 - 1

_PADDING_BYTES = 2**16
"""Zeros behind a chunk that count as padding."""


class Chunk(NamedTuple):
    """A chunk: its name, where its data begin, and the size in its header."""

    name: bytes
    start: int
    size: int


class TooManyChunksError(Exception):
    """The file has more than `MOST_CHUNKS` chunks before the sound."""


def riff_parts(view: FileView) -> list[FilePart]:
    """Return the recordings in a wav file (RIFF, RIFX, RF64, BW64) in order, each with right sizes.

    Raises:
        TooManyChunksError: the sound is not among the first chunks.
    """
    parts: list[FilePart] = []
    start = 0
    while len(parts) < MOST_CHUNKS and view.at(start + 8, 4) == b"WAVE":
        part, end = _riff(view, start)
        if part is not None:
            parts.append(part)
        if end <= start or view.at(end, 4) != view.at(start, 4):
            break
        start = end
    return parts


def _riff(view: FileView, start: int) -> tuple[FilePart | None, int]:
    """Return the wav that begins at `start`, if it has sound, and the position behind it."""
    order = ">" if view.at(start, 4) == b"RIFX" else "<"
    sizes = None
    for chunk in _chunks(view, start + 12, order):
        if chunk.name == b"ds64":
            sizes = chunk
        if chunk.name == b"data":
            return _sound(view, start, chunk, sizes, order)
    return None, start


def _sound(view: FileView, start: int, data: Chunk, ds64: Chunk | None, order: str) -> tuple[FilePart, int]:
    size, there = data.size, view.size - data.start
    if ds64 is not None and size == _LARGEST:
        size = struct.unpack("<Q", view.at(ds64.start + 8, 8).ljust(8, b"\0"))[0]
        known = 0 < size < 2**63
    else:
        known = 0 < size < _UNKNOWN_SIZE
    missing = unfinished = 0
    end = data.start + size
    if known and size > there:
        missing = size - there
    elif size <= there and not _continues(view, end + size % 2, view.at(start, 4), order):
        unfinished = 0 if size >= _UNKNOWN_SIZE or _is_open(view, start) else there - size
        size, end = there, view.size
    if size > there:
        size, end = there, view.size
    after = end + size % 2
    return FilePart(_patched(start, end, data, ds64, size, order), missing, unfinished, data.start - start), after


def _is_open(view: FileView, start: int) -> bool:
    """Return whether the header is the one that libsndfile writes until a file is closed: it does not promise a size.

    `emovox listen --save` leaves it if the program is killed; nothing is missing then.
    """
    return view.at(start + 4, 4) == b"\x08\0\0\0"


def _patched(start: int, end: int, data: Chunk, ds64: Chunk | None, size: int, order: str) -> tuple[Piece, ...]:
    """Return the pieces of a wav whose sizes are those of its sound, as RIFF, or RF64 above 4 GiB."""
    if ds64 is not None:
        total = struct.pack("<QQQ", end - start - 8, size, 0)
        return (
            b"RF64", range(start + 4, ds64.start), total, range(ds64.start + 24, data.start - 4),
            struct.pack("<I", _LARGEST), range(data.start, end),
        )  # fmt: skip
    known = size if size < _UNKNOWN_SIZE else _LARGEST
    whole = min(end - start - 8, _LARGEST)
    return (
        range(start, start + 4), struct.pack(order + "I", whole), range(start + 8, data.start - 4),
        struct.pack(order + "I", known), range(data.start, end),
    )  # fmt: skip


def _continues(view: FileView, place: int, magic: bytes, order: str) -> bool:
    """Return whether the file ends at `place` (up to padding), or continues with chunks or with another wav."""
    if place >= view.size - 8 or view.at(place, 4) == magic:
        return True
    rest = view.at(place, 4)
    if rest in (b"TAG\x00", b"ID3\x03", b"ID3\x04") or (rest[:3] == b"TAG" and view.size - place == 128):
        return True
    if not view.at(place, _PADDING_BYTES).strip(b"\0"):
        return True
    try:
        chunks = list(_chunks(view, place, order))
    except TooManyChunksError:
        return False
    return bool(chunks) and all(_is_name(chunk.name) and chunk.start + chunk.size <= view.size for chunk in chunks)


def _is_name(name: bytes) -> bool:
    return all(32 <= byte < 127 for byte in name)


def _chunks(view: FileView, place: int, order: str) -> Iterator[Chunk]:
    for _ in range(MOST_CHUNKS):
        head = view.at(place, 8)
        if len(head) < 8:
            return
        name, size = struct.unpack(order + "4sI", head)
        yield Chunk(name, place + 8, size)
        place += 8 + size + size % 2
    if place < view.size:
        raise TooManyChunksError


def check_chunks(view: FileView, *, first: int, order: str, wide: bool, sound: bytes) -> None:
    """Check that the sound of an aiff or caf file is among its first chunks.

    Args:
        view: the file.
        first: where its chunks begin.
        order: ">" or "<", the order of the bytes of a size.
        wide: whether a size has eight bytes, and chunks no padding.
        sound: the name of the chunk of the sound.

    Raises:
        TooManyChunksError: it is not.
    """
    form, length = (order + "4sQ", 12) if wide else (order + "4sI", 8)
    for _ in range(MOST_CHUNKS):
        head = view.at(first, length)
        if len(head) < length or head[:4] == sound:
            return
        size = struct.unpack(form, head)[1]
        first += length + size + (0 if wide else size % 2)
    if first < view.size:
        raise TooManyChunksError
