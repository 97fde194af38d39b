"""Checks of pictures: what a PNG must be to count as drawn."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text


def pixels(png: bytes) -> npt.NDArray[np.float32]:
    """Decode a PNG: [height, width, 3] in [0, 1]."""
    assert png.startswith(b"\x89PNG\r\n")
    return np.asarray(imread(io.BytesIO(png)), dtype=np.float32)[..., :3]


def assert_drawn(png: bytes, *, width: int = 300, height: int = 150) -> None:
    """It has a size, several colours, and nothing runs over its edges."""
    image = pixels(png)
    assert image.shape[0] >= height
    assert image.shape[1] >= width
    codes = (image * 255).round().astype(np.int64) @ (65536, 256, 1)  # one number a colour sorts fast
    assert len(np.unique(codes)) > 10
    assert 0.005 < (image < 0.99).any(axis=-1).mean() < 0.95
    for edge in (image[:3], image[-3:], image[:, :3], image[:, -3:]):
        assert (edge > 0.99).all(), "something is cut off at the edge"


def has_colour(png: bytes, colour: str) -> bool:
    """Whether some pixels have exactly this "#rrggbb"."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return bool(((pixels(png) * 255).round() == wanted).all(axis=-1).any())


def texts(figure: Figure) -> set[str]:
    """All that is written in a figure."""
    return {text.get_text() for text in figure.findobj(Text)}
