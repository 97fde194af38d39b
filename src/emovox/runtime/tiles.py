"""Cut speech regions into tiles: pieces of few distinct lengths that a model scores in batches.

A region is cut from its start into windows that do not overlap; a remainder under half a window joins the last one.
The model gets a tile with the real audio around it, up to the next half second, so that nothing is padded.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from emovox.audio.types import Samples


@dataclass(frozen=True, eq=False, slots=True)
class Tile:
    """A piece of a speech region, and the audio that a model scores for it.

    Attributes:
        start: first sample of the piece, counted from the beginning of the recording; start of the segment.
        end: sample after the last one of the piece; end of the segment.
        samples: [n] float32, the piece with the audio around it; n is a multiple of half a second unless the whole
            recording is shorter.
        region: number of the region, from 0.
    """

    start: int
    end: int
    samples: Samples
    region: int


def count_windows(length: int, *, window: int) -> int:
    """Return the number of tiles of a region: its whole windows, and a remainder of half a window or more.

    Args:
        length: length of the region in samples, >= 0.
        window: length of a tile in samples, >= 1.

    Returns:
        At least 1; a region shorter than half a window is one tile.

    >>> [count_windows(length, window=48000) for length in (100, 71999, 72000, 96000)]
    [1, 1, 2, 2]
    """
    return max(1, (2 * length + window) // (2 * window))


def split_region(start: int, end: int, *, window: int) -> list[tuple[int, int]]:
    """Return the bounds of the tiles of a region.

    Args:
        start: first sample of the region.
        end: sample after its last one.
        window: length of a tile in samples, >= 1.

    Returns:
        (start, end) of each tile in samples, in order and without gaps; only the last one has another length.

    >>> split_region(0, 70, window=30)
    [(0, 30), (30, 70)]
    """
    last = count_windows(end - start, window=window) - 1
    cuts = [start + index * window for index in range(last + 1)] + [end]
    return list(pairwise(cuts))


def extend(start: int, end: int, *, step: int, total: int | None = None) -> tuple[int, int]:
    """Return the bounds of a tile, extended on both sides to a length that is a multiple of `step`.

    Both sides get half of the extension; at an end of the recording the bounds move inwards instead.

    Args:
        start: first sample of the tile, >= 0.
        end: sample after its last one.
        step: step of the length in samples, >= 1.
        total: length of the recording in samples; None while it is unknown.

    Returns:
        (start, end) of the audio to score, in samples. Its length is a multiple of `step`, or `total` if that is less.
        If `total` is None, the end may be in audio that is still to come.

    >>> extend(100, 150, step=80), extend(10, 60, step=80), extend(100, 150, step=80, total=160)
    ((85, 165), (0, 80), (80, 160))
    """
    length = -(-(end - start) // step) * step
    first = max(0, start - (length - (end - start)) // 2)
    if total is not None and first + length > total:
        return max(0, total - length), total
    return first, first + length
