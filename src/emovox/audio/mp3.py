"""Count the frames of an mp3: its length is what its frames say, never a header's count or a bit rate."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from emovox.audio.view import FilePart, FileView

_BITRATES = {
    (3, 3): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""(3 for MPEG-1, 2 for MPEG-2 and 2.5; 3 for layer I, 2 for II, 1 for III) → kbit/s by index; 0 is the free format."""

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Version bits → rates in Hz by index."""

_CHAIN = 4
"""Frames that must follow each other until bytes count as mp3: a sync word alone is in any data."""

_LONGEST_FRAME = 4096
"""More bytes than any frame has."""


class Frame(NamedTuple):
    """The header of a frame: its bytes, samples a channel, rate in Hz, and where a count of frames would lie in it."""

    size: int
    samples: int
    rate: int
    tag: int


def frame_at(data: bytes, offset: int) -> Frame | None:
    """Return the frame whose header is at an offset in bytes, with its rate in Hz; None if there is none."""
    if offset + 4 > len(data) or data[offset] != 0xFF or data[offset + 1] & 0xE0 != 0xE0:
        return None
    second, third, fourth = data[offset + 1], data[offset + 2], data[offset + 3]
    version, layer = second >> 3 & 3, second >> 1 & 3
    index, rate_index = third >> 4, third >> 2 & 3
    if version == 1 or layer == 0 or index in (0, 15) or rate_index == 3:
        return None
    rate = _RATES[version][rate_index]
    bitrate = 1000 * _BITRATES[3 if version == 3 else 2, layer][index]
    padding = third >> 1 & 1
    if layer == 3:
        return Frame((12 * bitrate // rate + padding) * 4, 384, rate, 0)
    samples = 576 if layer == 1 and version != 3 else 1152
    mono = fourth >> 6 == 3
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    return Frame(samples // 8 * bitrate // rate + padding, samples, rate, 4 + side if layer == 1 else 0)


def first_frame(data: bytes, offset: int = 0) -> int | None:
    """Return the offset in bytes of the first of `_CHAIN` frames that follow each other; None if there are none.

    The frames have one rate in Hz; their sizes may differ.
    """
    offset = data.find(b"\xff", offset)
    while offset >= 0:
        place, rate = offset, 0
        for _ in range(_CHAIN):
            frame = frame_at(data, place)
            if frame is None or (rate and frame.rate != rate):
                break
            rate, place = frame.rate, place + frame.size
        else:
            return offset
        offset = data.find(b"\xff", offset + 1)
    return None


def mp3_parts(view: FileView) -> list[FilePart]:
    """Return the mp3s of a file in order, each with a right count of frames; empty if there are no frames.

    A frame holds 384, 576 or 1152 samples per channel, depending on version and layer.

    libmpg123 takes the number of frames from the tag in the first frame, or estimates it from a bit rate, and stops
    there, even if samples follow. Where the tag is wrong or absent, a frame with a right one is put before the frames.
    """
    starts: list[tuple[int, int, int]] = []  # position, frames in it, bytes that its tag promises
    count, end, head = 0, 0, b""
    found = []
    for position, size, header in _frames(view):
        tagged = _tag(header)
        if tagged is not None or not head:
            if head:
                found.append(_link(view, starts[-1], count, end, head))
            starts.append((position, *(tagged or (0, 0))))
            head, count = header, 0 if tagged else 1
        else:
            count += 1
        end = position + size
    if head:
        found.append(_link(view, starts[-1], count, end, head))
    return found


def _link(view: FileView, start: tuple[int, int, int], count: int, end: int, head: bytes) -> FilePart:
    position, promised, size = start
    missing = max(0, position + size - view.size) if size else 0
    if promised == count:
        return FilePart((range(position, end),), missing)
    if promised:  # the frame with the wrong tag holds no sound
        frame = frame_at(head, 0)
        position += frame.size if frame else 0
    if not size and promised > count:
        missing = (promised - count) * (end - position) // max(count, 1)
    return FilePart((_count_frame(head, count), range(position, end)), missing)


def _frames(view: FileView) -> Iterator[tuple[int, int, bytes]]:
    """Yield position, size and first 64 bytes of each frame; bytes that are no frame are skipped."""
    place = 0
    in_sync = False
    for first, data in view.windows(_LONGEST_FRAME * _CHAIN):
        offset = max(0, place - first)
        last = first + len(data) >= view.size
        while offset + _LONGEST_FRAME < len(data) or (last and offset < len(data) - 3):
            frame = frame_at(data, offset)
            if frame is None or not in_sync:
                chain = first_frame(data, offset)
                if chain is None:
                    offset = len(data) if last else max(offset, len(data) - _LONGEST_FRAME * _CHAIN)
                    break
                offset, in_sync = chain, True
                continue
            if first + offset + frame.size > view.size:  # the last frame is not whole
                return
            yield first + offset, frame.size, data[offset : offset + 64]
            offset += frame.size
            if last and offset >= len(data) - 3:
                return
            in_sync = frame_at(data, offset) is not None or offset + 4 > len(data)
        place = first + offset


def _tag(header: bytes) -> tuple[int, int] | None:
    """Return the counts of frames and bytes in the tag of a frame (0 where it has none); None without a tag."""
    frame = frame_at(header, 0)
    if frame is None or not frame.tag or header[frame.tag : frame.tag + 4] not in (b"Xing", b"Info"):
        return None
    fields = struct.unpack_from(">III", header.ljust(64, b"\0"), frame.tag + 4)
    frames = fields[1] if fields[0] & 1 else 0
    size = fields[2 if fields[0] & 1 else 1] if fields[0] & 2 else 0
    return frames, size


def _count_frame(header: bytes, count: int) -> bytes:
    """Return a silent frame like the one of `header`, with a tag that holds the count of frames."""
    for index in range(1, 15):
        start = bytes([0xFF, header[1] | 1, index << 4 | header[2] & 0x0C, header[3]])
        frame = frame_at(start, 0)
        if frame is None or not frame.tag:
            break
        if frame.size >= frame.tag + 12:
            tag = b"Xing" + struct.pack(">II", 1, count)
            return (start + bytes(frame.tag - 4) + tag).ljust(frame.size, b"\0")
    return b""
