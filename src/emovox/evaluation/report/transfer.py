"""Tables and a heat map of transfer between corpora."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from emovox.evaluation.figures.transfer import OTHERS, Transfer, write_transfer
from emovox.evaluation.report.colours import INK
from emovox.evaluation.report.document import Block, Heading, Picture, Table, Text, to_markdown
from emovox.evaluation.report.style import new_figure, png_of, set_title, shown
from emovox.schema.files import write_whole

PAGE, PICTURE, TABLE = "transfer.md", "transfer.png", "transfer.csv"

VIEWS = {
    "plain": "without adaptation",
    "source": "mean of 60 clips of other speakers of the corpus removed",
    "speaker": "mean of 10 clips of the speaker removed, moods as they come",
    "mixture": "adapted to 10 clips of the speaker by the mixture of `emovox.adaptation`",
}
"""How a model is adapted: key → words."""


def write_transfer_report(figures: Sequence[Transfer], folder: Path, *, title: str) -> Path:
    """Write `transfer.md`, `transfer.png` and `transfer.csv`; return the first.

    Raises:
        ConfigError: a file cannot be written.
    """
    picture = png_of(heat_map(figures, title=title))
    write_transfer(figures, folder / TABLE)
    write_whole(folder / PICTURE, picture)
    blocks: list[Block] = [
        Text(
            "UAR in % on a corpus that the model has not heard, with 95 % intervals over its speakers (over utterances "
            f"below five speakers). Rows: what the model has learnt from; '{OTHERS}' are all corpora in other "
            "languages than that of the test. Columns: the test. Only classes that both have count, and no other is "
            "answered. Clips that adapt are never scored."
        ),
        Picture(PICTURE, "Heat map of UAR by training and test corpus", picture),
        *[
            block
            for view in _views(figures)
            for block in (Heading(f"{view}: {VIEWS.get(view, view)}", 3), transfer_table(figures, view))
        ],
        Heading("Classes that both have, and chance", 3),
        _table(figures, _views(figures)[0], lambda figure: f"{figure.classes} ({figure.chance:.1f})"),
    ]
    write_whole(folder / PAGE, to_markdown(title, blocks).encode())
    return folder / PAGE


def transfer_table(figures: Sequence[Transfer], view: str) -> Table:
    """Return UAR with its interval, a row for each training set and a column for each test corpus."""
    return _table(figures, view, lambda figure: f"{figure.uar:.1f} [{figure.low:.0f}, {figure.high:.0f}]")


def heat_map(figures: Sequence[Transfer], *, title: str) -> Figure:
    """Draw UAR in % of each view; the colour is the share of the way from chance to 100 %."""
    views, rows, columns = _views(figures), _learnt(figures), _tested(figures)
    across = min(len(views), 2)
    down = -(-len(views) // across)
    figure = new_figure(1.6 + across * (0.6 * len(columns) + 0.5), 0.6 + down * (1.1 + 0.42 * len(rows)))
    panels = figure.subplots(down, across, squeeze=False).flatten()
    for number, (axes, view) in enumerate(zip(panels, views, strict=False)):
        above = np.full((len(rows), len(columns)), np.nan)
        for found in (one for one in figures if one.view == view):
            row, column = rows.index(found.learnt), columns.index(found.tested)
            above[row, column] = share = (found.uar - found.chance) / (100 - found.chance)
            ink = "white" if share > 0.55 else INK
            axes.text(column, row, f"{found.uar:.0f}", ha="center", va="center", fontsize=9, color=ink)
        axes.imshow(above, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(columns)), [shown(name) for name in columns], rotation=45, ha="right")
        axes.set_yticks(range(len(rows)), [shown(name) for name in rows] if number % across == 0 else [""] * len(rows))
        axes.set_title(view, fontsize=9.5, color=INK)
        axes.tick_params(length=0, labelsize=9)
        axes.spines[:].set_visible(False)
    for axes in panels[len(views) :]:
        axes.set_visible(False)
    set_title(figure, f"{title}: UAR in %; rows learnt from, columns tested on")
    return figure


def _table(figures: Sequence[Transfer], view: str, cell: Callable[[Transfer], str]) -> Table:
    cells = {(one.learnt, one.tested): cell(one) for one in figures if one.view == view}
    tested = _tested(figures)
    rows = [
        (learnt, *(cells.get((learnt, name), "–") for name in tested))
        for learnt in _learnt(figures)
        if any((learnt, name) in cells for name in tested)
    ]
    return Table(("learnt from", *tested), tuple(rows))


def _views(figures: Sequence[Transfer]) -> list[str]:
    return list(dict.fromkeys(one.view for one in figures))


def _learnt(figures: Sequence[Transfer]) -> list[str]:
    return sorted(dict.fromkeys(one.learnt for one in figures), key=OTHERS.__eq__)


def _tested(figures: Sequence[Transfer]) -> list[str]:
    order = _learnt(figures)
    found = dict.fromkeys(one.tested for one in figures)
    return sorted(found, key=lambda name: order.index(name) if name in order else len(order))
