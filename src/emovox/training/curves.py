"""How loss and UAR went, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from emovox.evaluation.report.style import EMOTION_COLOURS, FAINT, new_figure, percent_axis, plain, set_title
from emovox.training.log import Row

SMOOTHING = 50
"""The line runs through means over a fiftieth of all steps."""

_LOSS, _UAR = EMOTION_COLOURS["sad"], EMOTION_COLOURS["angry"]


def curves_figure(history: Sequence[Row], *, title: str) -> Figure:
    """Draw the loss over the steps and, where it was measured, the UAR of held-out training speakers below.

    Args:
        history: at least one row.
        title: over the picture.
    """
    measured = [row for row in history if row.uar is not None]
    figure = new_figure(6.4, 5.2 if measured else 3.2)
    axes = figure.subplots(2 if measured else 1, 1, sharex=True, squeeze=False)[:, 0]
    steps, losses = np.array([row.step for row in history]), np.array([row.loss for row in history])
    axes[0].plot(steps, losses, ".", color=FAINT, markersize=2, alpha=0.5)
    width = max(1, len(steps) // SMOOTHING)
    ends = np.arange(width, len(steps) + 1)
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    axes[0].plot(steps[ends - 1] - (width - 1) / 2, (sums[ends] - sums[ends - width]) / width, color=_LOSS)
    axes[0].set_ylabel("loss")
    if measured:
        uars = [row.uar or 0.0 for row in measured]
        best = int(np.argmax(uars))
        axes[1].plot([row.step for row in measured], uars, ".-", color=_UAR)
        axes[1].plot([measured[best].step], [uars[best]], "o", color=_UAR)
        axes[1].annotate(
            f"{100 * uars[best]:.1f}",
            (measured[best].step, uars[best]),
            (0, 6),
            textcoords="offset points",
            ha="center",
        )
        axes[1].margins(y=0.2)
        axes[1].set_ylabel("UAR in %")
        percent_axis(axes[1], "y")
    for one in axes:
        plain(one, grid="y")
    axes[-1].set_xlabel("step")
    set_title(figure, title)
    return figure
