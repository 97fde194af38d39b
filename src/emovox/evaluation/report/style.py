"""The style of all pictures: fonts for any script, axes, writing to a file.

Pictures use the object interface (`matplotlib.figure.Figure`). So no global state changes, and several threads may
draw at the same time.
"""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Sequence
from unicodedata import east_asian_width

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from emovox.evaluation.report.colours import INK
from emovox.schema.files import write_whole

SCRIPT_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "SimHei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Unifont",
)
"""Font families with Chinese characters; those that are installed are used after the Latin one."""

BASE_FONT = "DejaVu Sans"
FAINT = "#8a8a8a"
DPI = 130


def new_figure(width: float, height: float) -> Figure:
    """Return an empty white figure, sizes in inches, with automatic layout."""
    layout = ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.09)
    return Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")


def set_title(figure: Figure, text: str, *, size: float = 10) -> None:
    """Write a title over the whole figure, in lines that fit its width; `size` in points."""
    text = drawable(text, families())
    room = (figure.get_figwidth() - 0.3) * 72 / (0.6 * size)  # a letter is about 0.6 of the size wide
    if any(east_asian_width(letter) in "WF" for letter in text):
        room /= 2
    lines = [piece for line in text.split("\n") for piece in textwrap.wrap(line, max(8, int(room)))]
    figure.suptitle("\n".join(lines), fontsize=size, color=INK)


def plain(axes: Axes, *, grid: str | None = None) -> None:
    """Remove two of the four border lines; add a faint grid along "x" or "y" if `grid` is given."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)
    if grid in ("x", "y"):
        axes.grid(axis=grid, color="#e4e4e4", linewidth=0.8)  # type: ignore[arg-type]
        axes.set_axisbelow(True)


def percent_axis(axes: Axes, which: str) -> None:
    """Show shares 0 to 1 along "x" or "y" as 0 to 100 (the axis label should say %)."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")


def shorten(text: str, length: int) -> str:
    """Cut the middle out of a long text.

    >>> shorten("a very long name.wav", 10)
    'a ver….wav'
    """
    if len(text) <= length:
        return text
    head = length // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def shown(text: str, *, length: int = 24) -> str:
    """Return a name for a picture: shortened, and only with characters that the fonts have."""
    return drawable(shorten(text, length), families())


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    _choose_fonts(figure)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG, as a whole; its folder is made if it is missing.

    Raises:
        ConfigError: the file cannot be written.
    """
    write_whole(path, png_of(figure), make_folder=True)


def families() -> list[str]:
    """Return the font families of pictures, in the order of the search for glyphs; the first is always installed."""
    installed = {entry.name for entry in fontManager.ttflist}
    return [BASE_FONT, *(name for name in SCRIPT_FONTS if name in installed)]


def drawable(text: str, fonts: Sequence[str]) -> str:
    r"""Replace characters that no font has by their code, so that two such labels stay different.

    >>> drawable("żal", [BASE_FONT]), drawable("乐", [BASE_FONT])
    ('żal', '\\u4e50')
    """
    if text.isascii():
        return text
    found = [get_font(fontManager.findfont(FontProperties(family=[name]))) for name in fonts]
    return "".join(
        letter
        if letter.isspace() or any(font.get_char_index(ord(letter)) for font in found)
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _choose_fonts(figure: Figure) -> None:
    fonts = families()
    for axes in figure.axes:
        axes.tick_params(labelfontfamily=fonts)
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_fontfamily(fonts)
        text.set_parse_math(False)  # a file name may hold two dollar signs
