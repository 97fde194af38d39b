"""Small pieces of the picture: bars, columns, a scale of time, lines with two ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from rich.cells import cell_len
from rich.text import Text

from emovox.cli.live.state import Column

HEIGHTS = "▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉█"
QUIETEST_DB = -60.0
"""Where the level's bar begins."""

_TICK_SECONDS = (5, 10, 15, 30, 60)
_TICK_COLUMNS = 12


def place(level_db: float, length: int) -> int:
    """Turn a level in dBFS into columns of a bar of `length`.

    >>> place(-30.0, 40), place(-96.0, 40), place(1.0, 40)
    (20, 0, 40)
    """
    return round(min(max(1 - level_db / QUIETEST_DB, 0.0), 1.0) * length)


def bar(share: float, length: int) -> str:
    """Draw a share from 0 to 1 as a bar, in eighths of a column, filled up with spaces to `length`.

    >>> bar(0.5, 5)
    '██▌  '
    """
    whole, eighth = divmod(round(min(max(share, 0.0), 1.0) * length * 8), 8)
    drawn = EIGHTHS[8] * whole + (EIGHTHS[eighth] if eighth else "")
    return drawn + " " * (length - len(drawn))


def height_of(share: float) -> str:
    """Draw a share from 0 to 1 as one column.

    >>> height_of(0.0), height_of(1.0)
    ('▁', '█')
    """
    return HEIGHTS[round(min(max(share, 0.0), 1.0) * (len(HEIGHTS) - 1))]


def loudness_of(columns: Sequence[Column]) -> Text:
    """Draw how loud it was."""
    places = (place(column.level_db, len(HEIGHTS)) for column in columns)
    return Text("".join(HEIGHTS[number - 1] if number else " " for number in places), "dim")


def strip(cells: Iterable[tuple[str, str]]) -> Text:
    """Join letters with their styles, neighbours of one style as one piece: that is what drawing costs.

    >>> strip([("a", "red"), ("b", "red")]).spans
    [Span(0, 2, 'red')]
    """
    runs = groupby(cells, key=itemgetter(1))
    return Text.assemble(*(("".join(letter for letter, _ in run), style) for style, run in runs))


def scale(width: int, *, hop: float) -> Text:
    """Write how long ago the columns are, of `hop` seconds each, now at the right end."""
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
    """Put two texts at both ends of a line; where they do not fit, the left one is cut."""
    left = left.copy()
    left.truncate(max(0, width - right.cell_len - 1), overflow="ellipsis")
    return joined(left, right, at=max(0, width - right.cell_len))


def joined(left: Text, right: Text, *, at: int) -> Text:
    """Begin `right` at column `at`."""
    return Text.assemble(left, " " * max(0, at - left.cell_len), right)


def fitting(lines: Sequence[Text], rows: int) -> list[Text]:
    """Leave out empty lines, and then the last ones, until there are no more than `rows`."""
    kept = list(lines)
    while len(kept) > rows and (empty := next((i for i, line in enumerate(kept) if not line), None)) is not None:
        del kept[empty]
    return kept[: max(0, rows)]


def ranked(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    """Sort labels by score, the highest first."""
    return sorted(scores.items(), key=lambda item: -item[1])


def initials(labels: Sequence[str]) -> dict[str, str]:
    """Choose a letter for each label that no other has.

    >>> initials(["sad", "surprise", "happy"])
    {'sad': 's', 'surprise': 'u', 'happy': 'h'}
    """
    spare = [chr(number) for number in range(ord("A"), ord("z") + 1) if chr(number).isalpha()]
    taken: dict[str, str] = {}
    for label in labels:
        own = [letter for letter in label if letter.isalnum() and cell_len(letter) == 1]
        taken[label] = next((letter for letter in [*own, *spare] if letter not in taken.values()), "?")
    return taken
