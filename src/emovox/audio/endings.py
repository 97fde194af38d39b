"""Tell whether the end of a container is missing, from the sizes in it and the length of the file."""

from __future__ import annotations

import struct
from typing import Any

from emovox.audio.types import TOLERATED_LOSS
from emovox.audio.view import FileView

_SEGMENT = b"\x18\x53\x80\x67"
_HEAD = 4096


def missing_end(view: FileView, demuxer: str, track: Any, *, seconds: float) -> str | None:
    """Return why bytes are missing at the end of a file; None if none are, or if the container does not say.

    A loss of a few packets is not reported.

    Args:
        view: the file.
        demuxer: ffmpeg's name of its form.
        track: the audio track of PyAV, whose index holds the positions of the packets.
        seconds: length of what was decoded.
    """
    if demuxer == "flv":
        return None if _is_whole_flv(view) else "the last tag is not whole"
    if demuxer == "mp4":
        end = max((entry.pos + entry.size for entry in track.index_entries), default=None)
    else:
        promised = {"matroska": _matroska, "avi": _avi, "asf": _asf}.get(demuxer)
        end = promised(view) if promised else None
    if end is None or (end - view.size) * seconds <= TOLERATED_LOSS * view.size:
        return None
    return f"the container promises {end} bytes, {view.size} are there"


def _matroska(view: FileView) -> int | None:
    head = view.at(0, _HEAD)
    start = head.find(_SEGMENT) + len(_SEGMENT)
    if start < len(_SEGMENT) or start + 8 > len(head) or not head[start]:
        return None
    length = 9 - head[start].bit_length()
    size = int.from_bytes(head[start : start + length], "big") & ((1 << 7 * length) - 1)
    unknown = (1 << 7 * length) - 1
    return None if size == unknown else start + length + size


def _avi(view: FileView) -> int | None:
    size = int(struct.unpack("<I", view.at(4, 4).ljust(4, b"\0"))[0])
    return 8 + size if 0 < size < 0x7FFFF000 else None


def _asf(view: FileView) -> int | None:
    head = view.at(0, _HEAD)
    start = head.find(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))  # the object with the file's properties
    if start < 0 or start + 92 > len(head):
        return None
    size, flags = struct.unpack_from("<Q", head, start + 40)[0], struct.unpack_from("<I", head, start + 88)[0]
    return None if flags & 1 else int(size)  # a broadcast does not know its size


def _is_whole_flv(view: FileView) -> bool:
    last = int.from_bytes(view.at(view.size - 4, 4), "big")
    begin = view.size - 4 - last
    tag = view.at(begin, 4) if begin >= 13 else b""
    return len(tag) == 4 and tag[0] & 0x1F in (8, 9, 18) and int.from_bytes(tag[1:4], "big") == last - 11
