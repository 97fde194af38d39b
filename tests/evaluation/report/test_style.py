from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.font_manager import fontManager
from matplotlib.text import Text

from emovox.evaluation.report import colours, style
from emovox.schema.labels import EMOTIONS, TRAINING_CLASSES
from tests.evaluation.pictures import assert_drawn

CLEARLY_DIFFERENT = 0.06  # Euclidean distance in sRGB, of a possible 1.73


@pytest.mark.parametrize(
    "labels",
    [EMOTIONS, TRAINING_CLASSES, ("yes", "no"), (*EMOTIONS, "zen", "meh"), tuple(f"label {i}" for i in range(20))],
)
def test_every_label_has_a_colour_that_no_other_is_close_to(labels: tuple[str, ...]) -> None:
    found = colours.colours_of(labels)
    assert tuple(found) == labels
    values = np.array([to_rgb(colour) for colour in found.values()])
    distances = np.linalg.norm(values[:, None] - values[None], axis=-1) + np.eye(len(labels))
    assert distances.min() > CLEARLY_DIFFERENT


def test_emotions_keep_their_colour_in_any_company() -> None:
    assert colours.colours_of(("zen", "angry"))["angry"] == colours.colours_of(EMOTIONS)["angry"]


def test_own_labels_do_not_take_the_colour_of_an_emotion_beside_them() -> None:
    found = colours.colours_of((*EMOTIONS, "zen", "meh"))
    assert len(set(found.values())) == 9


@given(st.text(max_size=60), st.integers(5, 40))
def test_shortening_keeps_both_ends(text: str, length: int) -> None:
    found = style.shorten(text, length)
    assert len(found) == min(len(text), length)
    if len(text) > length:
        assert text.startswith(found.split("…")[0])
        assert found[0] == text[0]
        assert found[-1] == text[-1]


@pytest.mark.parametrize("colour", [*colours.EMOTION_COLOURS.values(), "#000000", "#ffffff"])
def test_text_on_a_colour_can_be_read(colour: str) -> None:
    """Contrast of at least 3 to 1 (WCAG 2.1, level AA for large or bold text and graphics)."""

    def luminance(name: str) -> float:
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(name)]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    bright, dark = sorted((luminance(colour), luminance(colours.ink_on(colour))), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 3


def test_without_a_chinese_font_labels_stay_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "SCRIPT_FONTS", ())
    assert style.shown("悲伤") == "\\u60b2\\u4f24"
    assert style.shown("zażółć") == "zażółć"


def test_an_installed_chinese_font_is_found_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # whatever this machine has installed beside
    monkeypatch.setattr(fontManager, "ttflist", [font for font in fontManager.ttflist if font.name == style.BASE_FONT])
    fontManager.addfont(_font(tmp_path, "WenQuanYi Micro Hei", "悲伤"))
    assert style.families() == [style.BASE_FONT, "WenQuanYi Micro Hei"]
    assert style.shown("悲伤 sad") == "悲伤 sad"
    assert style.shown("悲乐") == "悲\\u4e50", "the font of the test has no second character"


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_figure_is_written_whole_and_without_warnings(tmp_path: Path) -> None:
    figure = style.new_figure(4, 3)
    axes = figure.add_subplot()
    axes.plot([1, 2, 3])
    axes.set_title(style.shown("$5 and $6: 悲伤 zażółć"))
    path = tmp_path / "new" / "ąć.png"
    style.save_figure(figure, path)
    assert_drawn(path.read_bytes())
    assert [p.name for p in path.parent.iterdir()] == ["ąć.png"]


def test_dollar_signs_are_not_mathematics() -> None:
    figure = style.new_figure(4, 3)
    figure.suptitle("call_$a$_{.wav")
    style.png_of(figure)
    (text,) = (text for text in figure.findobj(Text) if "call" in text.get_text())
    assert text.get_text() == "call_$a$_{.wav"


def _font(folder: Path, name: str, letters: str) -> str:
    """A font with square glyphs for some letters."""
    glyphs = [".notdef", "space", *(f"uni{ord(letter):04X}" for letter in letters)]
    pen = TTGlyphPen(None)
    for index, point in enumerate(((0, 0), (0, 500), (500, 500), (500, 0))):
        (pen.lineTo if index else pen.moveTo)(point)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap({32: "space"} | {ord(letter): f"uni{ord(letter):04X}" for letter in letters})
    builder.setupGlyf(dict.fromkeys(glyphs, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": name, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = folder / "font.ttf"
    builder.save(path)
    return str(path)
