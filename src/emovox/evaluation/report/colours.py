"""Colours of labels in pictures and pages; plain Python, so that a page needs no matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

EMOTION_COLOURS: Mapping[str, str] = {
    "neutral": "#9a9a9a",
    "happy": "#e69f00",
    "sad": "#0072b2",
    "angry": "#d55e00",
    "fear": "#cc79a7",
    "disgust": "#009e73",
    "surprise": "#56b4e9",
    "calm": "#f0e442",
    "boredom": "#7f5539",
}
"""Fixed colours: the palette of Okabe and Ito (2008), distinct for all common kinds of colour blindness."""


INK = "#222222"
"""Colour of text on paper, and dark text on a colour."""

_SPARE = ("sad", "happy", "disgust", "angry", "fear", "surprise", "boredom", "calm", "neutral")
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each label: the fixed one of an emotion, else one that is not in use.

    Args:
        labels: different names, in order.

    Returns:
        Label → "#rrggbb", all different.

    >>> colours_of(["angry", "zen"])["angry"]
    '#d55e00'
    """
    result = {label: EMOTION_COLOURS[label] for label in labels if label in EMOTION_COLOURS}
    spare = [EMOTION_COLOURS[name] for name in _SPARE if name not in result]
    others = [label for label in labels if label not in result]
    # Few labels take what is left of the tested palette; many need more hues than it has.
    generated = [_oklch((0.62, 0.78, 0.46)[i % 3], 0.13, 0.5 + i * _GOLDEN_ANGLE) for i in range(len(others))]
    result |= zip(others, spare if len(others) <= len(spare) else generated, strict=False)
    return {label: result[label] for label in labels}


def ink_on(colour: str) -> str:
    """Return black or white, whichever is easier to read on a colour "#rrggbb".

    Reference: WCAG 2.1, relative luminance.
    """
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.2 else "#ffffff"


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _oklch(lightness: float, chroma: float, hue: float) -> str:
    """Return a colour of perceived lightness [0, 1], chroma and hue (radians) as "#rrggbb", clipped to sRGB.

    Reference: Ottosson, "A perceptual color space for image processing", 2020.
    """
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    channels = (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in (max(0, v) for v in linear))
    return "#" + "".join(f"{round(255 * min(1.0, v)):02x}" for v in channels)
