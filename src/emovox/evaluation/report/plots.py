"""Pictures of predictions: confusion matrix, recall of each class, reliability diagram."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from emovox.evaluation.figures.calibration import Reliability
from emovox.evaluation.figures.metrics import UNANSWERED, Summary
from emovox.evaluation.report.colours import INK, colours_of
from emovox.evaluation.report.style import FAINT, new_figure, percent_axis, plain, set_title, shown


def confusion_figure(summary: Summary, *, title: str) -> Figure:
    """Draw the confusion matrix: rows true labels, columns predictions, shares of the row in % above the counts.

    Classes without true clips have no row; a last column appears when there are clips without speech.
    """
    names = [shown(name) for name in summary.classes]
    counts = summary.confusion
    rows = np.flatnonzero(counts.sum(axis=1))
    columns = np.flatnonzero(counts.sum(axis=0) + np.append(counts.sum(axis=1), 0))
    cells = counts[np.ix_(rows, columns)]
    shares = cells / counts[rows].sum(axis=1, keepdims=True)
    cell = 0.62 if len(columns) <= 12 else 0.5
    figure = new_figure(2.6 + cell * len(columns), 1.9 + cell * len(rows))
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), [[*names, UNANSWERED][i] for i in columns], rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), [f"{names[i]}  ({counts[i].sum()})" for i in rows])
    axes.set_xlabel("predicted")
    axes.set_ylabel("true (clips)")
    set_title(figure, f"{title}\nrow share in %, clips below")
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    size = 8.5 if len(columns) <= 12 else 6.5
    for (row, column), share in np.ndenumerate(shares):
        if cells[row, column]:
            text = f"{100 * share:.0f}\n{cells[row, column]}"
            colour = "white" if share > 0.55 else INK
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour, linespacing=1.05)
    return figure


def recall_figure(summary: Summary, *, title: str) -> Figure:
    """Draw the recall of each class with its 95 % interval, the mean of them (UAR) and chance."""
    names = list(summary.recalls)
    values = np.array([summary.recalls[name] for name in names])
    limits = np.array([summary.recall_intervals[name] for name in names])
    figure = new_figure(6.4, 1.5 + 0.36 * len(names))
    axes = figure.add_subplot()
    colours = colours_of(summary.classes)
    places = np.arange(len(names))
    axes.barh(places, values, color=[colours[name] for name in names], height=0.72)
    spread = np.abs(limits.T - values)
    axes.errorbar(values, places, xerr=spread, fmt="none", ecolor=INK, elinewidth=1, capsize=2.5)
    for place, value, high in zip(places, values, limits[:, 1], strict=True):
        axes.text(max(value, high) + 0.015, float(place), f"{100 * value:.0f}", va="center", fontsize=9, color=INK)
    axes.axvline(summary.uar.value, color=INK, linewidth=1.2, label=f"mean (UAR) {100 * summary.uar.value:.1f}")
    axes.axvline(1 / len(names), color=FAINT, linewidth=1.2, linestyle=":", label=f"chance {100 / len(names):.1f}")
    axes.set_yticks(places, [shown(name) for name in names])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.08)
    axes.set_xticks(np.linspace(0, 1, 6))
    percent_axis(axes, "x")
    axes.set_xlabel(f"recall [%], 95 % interval over {summary.resampled}")
    set_title(figure, title)
    plain(axes, grid="x")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return figure


def reliability_figure(found: Reliability, *, title: str) -> Figure:
    """Draw accuracy against confidence, the distance from the diagonal, and how many clips are in each bin."""
    bins = len(found.count)
    middles = (np.arange(bins) + 0.5) / bins
    full = found.count > 0
    figure = new_figure(5.0, 5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    width = 0.9 / bins
    upper.bar(middles[full], found.accuracy[full], width=width, color="#56b4e9", label="accuracy")
    gap = found.confidence[full] - found.accuracy[full]
    upper.bar(
        middles[full], gap, width=width, bottom=found.accuracy[full], facecolor="none", edgecolor="#d55e00",
        hatch="////", linewidth=0.8, label="gap to confidence",
    )  # fmt: skip
    upper.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--", label="calibrated")
    upper.set_ylim(0, 1)
    upper.set_ylabel("right clips [%]")
    percent_axis(upper, "y")
    set_title(figure, f"{title}\nexpected calibration error {100 * found.error:.1f} %")
    upper.legend(frameon=False, fontsize=8.5, loc="upper left")
    lower.bar(middles, found.count, width=width, color=FAINT)
    lower.set_ylabel("clips")
    lower.set_xlabel("confidence: highest score [%]")
    lower.set_xlim(0, 1)
    percent_axis(lower, "x")
    plain(upper, grid="y")
    plain(lower)
    return figure
