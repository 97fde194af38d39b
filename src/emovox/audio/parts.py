"""Split a file into the recordings that it holds one after the other, each with a header that is right."""

from __future__ import annotations

from emovox.audio.chunks import check_chunks, riff_parts
from emovox.audio.containers import FileForm
from emovox.audio.mp3 import mp3_parts
from emovox.audio.view import FilePart, FileView

_FLAC_START = b"fLaC\x00\x00\x00\x22"
_FLAC_TOTAL = range(21, 26)
"""Bytes with the number of samples: the low half of the first, and four more."""

_PAGE_HEADER = 27
_FIRST_PAGE = 2
"""Flag of an ogg page that begins a stream."""


def parts_of(view: FileView, form: FileForm | None) -> list[FilePart]:
    """Return the recordings of a file in order; a form that holds only one is returned as it is.

    Raises:
        TooManyChunksError: the sound is not among the first chunks of the file.
    """
    whole = [FilePart((range(view.size),))]
    match form.name if form else "":
        case "wav":
            return riff_parts(view) or whole
        case "mp3":
            return mp3_parts(view) or whole
        case "ogg":
            return [FilePart((piece,)) for piece in _split(view.size, _ogg_starts(view))]
        case "flac":
            return [FilePart(_countless(view, piece)) for piece in _split(view.size, _flac_starts(view))]
        case "aiff":
            check_chunks(view, first=12, order=">", wide=False, sound=b"SSND")
        case "caf":
            check_chunks(view, first=8, order=">", wide=True, sound=b"data")
    return whole


def _split(size: int, starts: list[int]) -> list[range]:
    return [range(start, end) for start, end in zip([0, *starts], [*starts, size], strict=True)]


def _flac_starts(view: FileView) -> list[int]:
    """Return where flac files begin behind the first one."""
    starts: list[int] = []
    for first, data in view.windows(len(_FLAC_START)):
        offset = data.find(_FLAC_START, 0 if first else 1)
        while offset >= 0:
            if first + offset not in starts[-1:]:
                starts.append(first + offset)
            offset = data.find(_FLAC_START, offset + 1)
    return starts


def _countless(view: FileView, piece: range) -> tuple[bytes | range, ...]:
    """Return a flac without its number of samples, at which libsndfile would stop even if more follow."""
    first = piece.start + _FLAC_TOTAL.start
    kept = view.at(first, 1)
    if not kept or piece.start + _FLAC_TOTAL.stop > piece.stop:
        return (piece,)
    return range(piece.start, first), bytes([kept[0] & 0xF0, 0, 0, 0, 0]), range(first + 5, piece.stop)


def flac_frames(view: FileView) -> int | None:
    """Return the number of samples in the header of a flac; None if it has none."""
    value = int.from_bytes(view.at(_FLAC_TOTAL.start, len(_FLAC_TOTAL)), "big") & 0xFFFFFFFFF
    return value or None


def _ogg_starts(view: FileView) -> list[int]:
    """Return where ogg streams begin behind the sound of an earlier one (a chained file)."""
    starts: list[int] = []
    place, after_sound = 0, False
    for first, data in view.windows(2**17):
        offset = place - first
        while offset + _PAGE_HEADER <= len(data):
            if data[offset : offset + 4] != b"OggS":
                offset = data.find(b"OggS", offset + 1)
                if offset < 0:
                    offset = len(data) - 3
                    break
                continue
            segments = data[offset + 26]
            end = offset + _PAGE_HEADER + segments
            if end > len(data):
                break
            begins = bool(data[offset + 5] & _FIRST_PAGE)
            if begins and after_sound:
                starts.append(first + offset)
            after_sound = not begins
            offset = end + sum(data[offset + _PAGE_HEADER : end])
        place = first + offset
    return starts
