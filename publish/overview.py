"""The picture of accuracy against time and size, with published figures of others beside ours.

python -m publish.overview        # docs/pictures/overview.png; `make results` writes it too
"""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import EngFormatter, NullFormatter

from emovox.evaluation.report.colours import INK
from emovox.evaluation.report.style import new_figure, plain, save_figure
from publish.laboratory import ROOT, Figures, figure
from publish.published import INDEPENDENT

PICTURE = ROOT / "docs" / "pictures" / "overview.png"
OURS, OTHERS = "#0072b2", "#b45309"

_UNITS = {"k": 1e3, "M": 1e6}


class Point(NamedTuple):
    """A model in the picture: UAR on RAVDESS-8 in %, number of parameters, milliseconds for 3 s where measured."""

    name: str
    uar: float
    parameters: float
    milliseconds: float | None = None


def our_points(figures: Figures) -> list[Point]:
    """Return the models with a speaker-independent figure on RAVDESS-8 and a measured cost; joint folds come first."""
    found = []
    for model in figures.models:
        cost = figures.cost(model)
        each = figures.measured(figure(model, "ravdess-8", "joint")) or figures.measured(
            figure(model, "ravdess-8", "si")
        )
        if cost is not None and each is not None:
            found.append(Point(model, 100 * each.summary.uar.value, cost.parameters, cost.milliseconds))
    return found


def peer_points() -> list[Point]:
    """Return the published systems with UAR on RAVDESS-8 and a stated number of parameters.

    >>> peer_points()[0].parameters
    637000000.0
    """
    return [
        Point(name.removesuffix(" (EmoBox)"), float(uar.split()[0]), parameters_of(size))
        for name, size, uar, *_ in INDEPENDENT
        if uar != "–" and size != "–"
    ]


def parameters_of(text: str) -> float:
    """Return the number of parameters that a table states.

    >>> parameters_of("47 k"), parameters_of("0.5 M")
    (47000.0, 500000.0)
    """
    number, unit = text.split()[:2]
    return float(number) * _UNITS[unit]


def draw(ours: list[Point], peers: list[Point]) -> Picture:
    """Draw accuracy against time, ours alone, and against the number of parameters, with others."""
    picture = new_figure(9, 3.8)
    left, right = picture.subplots(1, 2, sharey=True)
    for point in ours:
        if point.milliseconds is not None:
            _mark(left, point.milliseconds, point, OURS)
        _mark(right, point.parameters, point, OURS)
    for point in peers:
        _mark(right, point.parameters, point, OTHERS, marker="s")
    for axes, words in ((left, "milliseconds for 3 s on one core"), (right, "parameters")):
        plain(axes, grid="y")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.25, y=0.15)
        axes.set_xlabel(words)
    left.set_ylabel("UAR on RAVDESS-8 [%]")
    return picture


def _mark(axes: Axes, x: float, point: Point, colour: str, marker: str = "o") -> None:
    axes.scatter([x], [point.uar], s=36, color=colour, marker=marker, zorder=3)
    axes.annotate(point.name, (x, point.uar), (0, 6), textcoords="offset points", ha="center", fontsize=7, color=INK)


def write_picture(figures: Figures) -> None:
    """Write the picture into the documentation."""
    save_figure(draw(our_points(figures), peer_points()), PICTURE)


if __name__ == "__main__":
    write_picture(Figures())
