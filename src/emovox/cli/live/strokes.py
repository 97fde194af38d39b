"""Parts of the screen: bars, columns, a time scale, lines with text at both ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from rich.cells import cell_len
from rich.text import Text

from emovox.cli.live.state import Column

HEIGHTS = "▁▂▃▄▅▆▇█"
"""Columns of a height of one to eight eighths."""

EIGHTHS = " ▏▎▍▌▋▊▉█"
"""Bars of a width of none to eight eighths."""

QUIETEST_DB = -60.0
"""Level in dBFS at which the bar of the level begins."""

_TICK_SECONDS = (5, 10, 15, 30, 60)
"""Distances between the marks of the time scale."""

_TICK_COLUMNS = 12
"""Columns between two marks, at least: a text such as "└ 60 s ago" and a gap."""


def place(level_db: float, length: int) -> int:
    """Return how many of the `length` columns of a bar a level in dBFS fills.

    >>> place(-30.0, 40), place(-96.0, 40), place(1.0, 40)
    (20, 0, 40)
    """
    return round(min(max(1 - level_db / QUIETEST_DB, 0.0), 1.0) * length)


def bar(share: float, length: int) -> str:
    """Return a share from 0 to 1 as a bar, in eighths of a column, padded with spaces to `length`.

    >>> bar(0.5, 5)
    '██▌  '
    """
    whole, eighth = divmod(round(min(max(share, 0.0), 1.0) * length * 8), 8)
    drawn = EIGHTHS[8] * whole + (EIGHTHS[eighth] if eighth else "")
    return drawn + " " * (length - len(drawn))


def height_of(share: float) -> str:
    """Return a share from 0 to 1 as one character, a column of this height.

    >>> height_of(0.0), height_of(1.0)
    ('▁', '█')
    """
    return HEIGHTS[round(min(max(share, 0.0), 1.0) * (len(HEIGHTS) - 1))]


def loudness_of(columns: Sequence[Column]) -> Text:
    """Return the level of each column, as one character."""
    places = (place(column.level_db, len(HEIGHTS)) for column in columns)
    return Text("".join(HEIGHTS[number - 1] if number else " " for number in places), "dim")


def strip(cells: Iterable[tuple[str, str]]) -> Text:
    """Join letters with their styles. Neighbours of one style become one span, since drawing costs time per span.

    >>> strip([("a", "red"), ("b", "red")]).spans
    [Span(0, 2, 'red')]
    """
    runs = groupby(cells, key=itemgetter(1))
    return Text.assemble(*(("".join(letter for letter, _ in run), style) for style, run in runs))


def scale(width: int, *, hop: float) -> Text:
    """Return a time scale for `width` columns of `hop` seconds each: how long ago each was, with now at the right."""
    step = next((tick for tick in _TICK_SECONDS if tick / hop >= _TICK_COLUMNS), _TICK_SECONDS[-1])
    marks = [" "] * width
    marks[-1] = "┘"
    for number in range(1, int((width - 1) * hop // step) + 1):
        column = width - 1 - round(number * step / hop)
        text = f"└ {number * step} s ago"
        if column + len(text) < width:
            marks[column : column + len(text)] = text
    return Text("".join(marks), "dim")


def sides(left: Text, right: Text, width: int) -> Text:
    """Return a line with a text at each end. If they do not fit, the left one is cut."""
    left = left.copy()
    left.truncate(max(0, width - right.cell_len - 1), overflow="ellipsis")
    return joined(left, right, at=max(0, width - right.cell_len))


def joined(left: Text, right: Text, *, at: int) -> Text:
    """Return a line with `left`, and `right` from column `at` on."""
    return Text.assemble(left, " " * max(0, at - left.cell_len), right)


def fitting(lines: Sequence[Text], rows: int) -> list[Text]:
    """Return at most `rows` lines: empty lines are left out first, then the last ones."""
    kept = list(lines)
    while len(kept) > rows and (empty := next((i for i, line in enumerate(kept) if not line), None)) is not None:
        del kept[empty]
    return kept[: max(0, rows)]


def ranked(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return labels and scores, the highest first."""
    return sorted(scores.items(), key=lambda item: -item[1])


def initials(labels: Sequence[str]) -> dict[str, str]:
    """Return label → letter, a different one for each label and one of its own letters if possible.

    >>> initials(["sad", "surprise", "happy"])
    {'sad': 's', 'surprise': 'u', 'happy': 'h'}
    """
    spare = [chr(number) for number in range(ord("A"), ord("z") + 1) if chr(number).isalpha()]
    taken: dict[str, str] = {}
    for label in labels:
        letters = [letter for letter in label if letter.isalnum() and cell_len(letter) == 1]
        taken[label] = next((letter for letter in [*letters, *spare] if letter not in taken.values()), "?")
    return taken
