"""The emotion that a face shows: a network that takes 112 × 112 pixels of a face."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from emovox.audio.pictures import Image, resized
from emovox.fusion.face.detect import FaceBox
from emovox.fusion.face.networks import EXPRESSION, EXPRESSION_SIZE, session
from emovox.schema.labels import EMOTIONS

FACE_LABELS = EMOTIONS
"""The labels of `Expression.log_scores`, in their order: the network's seven are the package's."""

_MIDDLE = slice(EXPRESSION_SIZE // 5, -EXPRESSION_SIZE // 5)
"""Rows and columns of a face that no black edge reaches."""


class Expression(NamedTuple):
    """What a face shows: log_scores [7] of `FACE_LABELS`, natural logarithms, and an embedding [256]; float32."""

    log_scores: npt.NDArray[np.float32]
    embedding: npt.NDArray[np.float32]


def cut_face(image: Image, box: FaceBox) -> Image:
    """Return a face [112, 112, 3]: the part of its box inside the picture, centred in a black square."""
    height, width = image.shape[:2]
    left, top = (int(np.clip(edge, 0, most - 1)) for edge, most in ((box.left, width), (box.top, height)))
    right, bottom = (
        int(np.clip(np.ceil(edge), first + 1, most))
        for edge, first, most in ((box.left + box.width, left, width), (box.top + box.height, top, height))
    )
    scale = EXPRESSION_SIZE / max(right - left, bottom - top)
    inner = [max(1, round(side * scale)) for side in (right - left, bottom - top)]
    square = np.zeros((EXPRESSION_SIZE, EXPRESSION_SIZE, 3), np.uint8)
    x, y = ((EXPRESSION_SIZE - side) // 2 for side in inner)
    square[y : y + inner[1], x : x + inner[0]] = resized(image[top:bottom, left:right], width=inner[0], height=inner[1])
    return square


def read_expression(face: Image) -> Expression:
    """Return the expression of a face [112, 112, 3] from `cut_face`.

    Raises:
        ModelError: the network's file is missing.
    """
    scores, embedding = session(EXPRESSION).run(["log_scores", "embedding"], {"image": face[None]})
    return Expression(scores[0], embedding[0])


def sharpness(face: Image) -> float:
    """Return how sharp a face [112, 112, 3] is: the power of its finest detail over that of all detail.

    The finest detail is the second difference between neighbouring pixels, in the middle of the picture. A face of one
    colour has 0.
    """
    grey = face[_MIDDLE, _MIDDLE].astype(np.float64).mean(axis=2)
    inner = grey[1:-1, 1:-1]
    fine = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    power = float(inner.var())
    return float((fine**2).mean()) / power if power else 0.0
