"""The picture of a run: what it shows, and that it can be drawn from a single step on."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.evaluation.report.style import png_of
from emovox.training.log import StepRecord, curves_figure
from tests.evaluation.pictures import assert_drawn, texts


def history(steps: int, *, every: int = 0) -> list[StepRecord]:
    return [
        StepRecord(n, 2 / n, 1e-3, 0.4 + 0.1 * np.sin(n) if every and n % every == 0 else None, n / 8)
        for n in range(1, steps + 1)
    ]


@pytest.mark.parametrize(("steps", "every"), [(1, 0), (1, 1), (400, 50)])
def test_any_run_can_be_drawn(steps: int, every: int) -> None:
    figure = curves_figure(history(steps, every=every), title=f"{steps} steps")
    assert_drawn(png_of(figure))
    assert {"loss", "step", f"{steps} steps"} <= texts(figure)
    assert len(figure.axes) == (2 if every else 1)


def test_the_line_is_the_moving_mean() -> None:
    line = curves_figure(history(400), title="").axes[0].lines[1]
    losses = np.array([row.loss for row in history(400)])
    np.testing.assert_allclose(np.asarray(line.get_ydata()), np.convolve(losses, np.full(8, 1 / 8), "valid"), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(line.get_xdata()), 4.5 + np.arange(393))


def test_the_best_uar_is_marked() -> None:
    figure = curves_figure(history(400, every=50), title="")
    best = max(row.uar for row in history(400, every=50) if row.uar is not None)
    assert f"{100 * best:.1f}" in texts(figure)
