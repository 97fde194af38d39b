"""Find the faces in a picture: a tiny detector that looks at 224 pixels and at 49 places, five sizes at each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from emovox.audio.pictures import Image, resized
from emovox.fusion.face.networks import DETECTOR, DETECTOR_SIZE, session

LEAST_SCORE = 0.5
"""Score in [0, 1] from which a box is a face, as the detector's authors set it."""

LARGEST_OVERLAP = 0.4
"""Intersection over union from which two boxes are one face."""

_ANCHORS = np.array(
    [(1.603231, 2.094468), (6.041143, 7.080126), (2.882459, 3.518061), (4.266906, 5.178857), (9.041765, 10.66308)]
)
"""Widths and heights of the five sizes of faces, in places; from the source of face-api."""

_LARGEST_EXPONENT = 4.0  # a box is at most 55 times as large as its anchor: no overflow


class FaceBox(NamedTuple):
    """Where a face is, in pixels of its picture, and a score in [0, 1] that it is one. It may reach over the edge."""

    left: float
    top: float
    width: float
    height: float
    score: float


def find_faces(image: Image, *, least: float = LEAST_SCORE) -> list[FaceBox]:
    """Return the faces in a picture, the surest first.

    Args:
        image: [height, width, 3] in bytes; faces narrower than a tenth of the longer side are not found.
        least: lowest score of a face.

    Raises:
        ModelError: the detector's file is missing.
    """
    height, width = image.shape[:2]
    scale = DETECTOR_SIZE / max(height, width)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    square = np.zeros((1, DETECTOR_SIZE, DETECTOR_SIZE, 3), np.uint8)
    square[0, : inner[1], : inner[0]] = resized(image, width=inner[0], height=inner[1])
    cells = session(DETECTOR).run(["cells"], {"image": square})[0][0]
    boxes = _boxes(cells)
    boxes[:, :4] *= max(height, width)
    return _apart([FaceBox(*map(float, box)) for box in boxes if box[4] > least])


def _boxes(cells: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return left, top, width, height (of the square, 0 to 1) and score of all 245 boxes, from cells [25, 7, 7]."""
    size = cells.shape[1]
    values = cells.astype(np.float64).reshape(len(_ANCHORS), 5, size, size).transpose(2, 3, 0, 1)
    places = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)[:, :, None]  # [row, column, 1, (x, y)]
    centres = (places + _sigmoid(values[..., :2])) / size
    sizes = np.exp(np.minimum(values[..., 2:4], _LARGEST_EXPONENT)) * _ANCHORS / size
    return np.concatenate([centres - sizes / 2, sizes, _sigmoid(values[..., 4:])], axis=-1).reshape(-1, 5)


def _apart(boxes: list[FaceBox]) -> list[FaceBox]:
    """Return the boxes without those that overlap a surer one."""
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda box: -box.score):
        if all(overlap(box, other) <= LARGEST_OVERLAP for other in kept):
            kept.append(box)
    return kept


def overlap(one: FaceBox, other: FaceBox) -> float:
    """Return the intersection of two boxes over their union, 0 to 1.

    >>> overlap(FaceBox(0, 0, 2, 2, 1), FaceBox(1, 0, 2, 2, 1))
    0.3333333333333333
    """
    wide = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    high = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    shared = max(0.0, wide) * max(0.0, high)
    return shared / (one.width * one.height + other.width * other.height - shared)


def _sigmoid(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -50, 50))))
