from __future__ import annotations

import numpy as np
import pytest

from emovox.evaluation.report.colours import EMOTION_COLOURS
from emovox.evaluation.report.scatter import MOST_IN_LEGEND, scatter_figure, tsne, variance_figure
from emovox.evaluation.report.style import png_of
from tests.evaluation.pictures import assert_drawn, has_colour, texts


def _groups(n: int = 20, *, width: int = 60) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(0)
    centres = 20 * rng.normal(size=(3, width))
    names = ["happy", "sad", "zen"]
    return np.concatenate([centre + rng.normal(size=(n, width)) for centre in centres]), [
        name for name in names for _ in range(n)
    ]


def test_neighbours_stay_neighbours() -> None:
    matrix, labels = _groups()
    points = tsne(matrix, seed=0)
    assert points.shape == (60, 2)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + np.diag(np.full(60, np.inf))
    nearest = np.array(labels)[distances.argmin(axis=1)]
    assert (nearest == np.array(labels)).mean() > 0.95


def test_the_layout_follows_the_seed() -> None:
    matrix, _ = _groups(5)
    np.testing.assert_array_equal(tsne(matrix, seed=1), tsne(matrix, seed=1))


def test_few_rows_and_one_column_are_enough() -> None:
    assert tsne(np.arange(5.0)[:, None]).shape == (5, 2)


@pytest.mark.parametrize("matrix", [np.zeros((4, 3)), np.zeros(9), np.full((9, 3), np.nan)])
def test_what_cannot_be_laid_out_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"got a matrix of shape \[.*\], expected finite \[n, d\] with n >= 5"):
        tsne(matrix)


@pytest.mark.filterwarnings("error::UserWarning")
def test_points_have_the_colour_of_their_emotion() -> None:
    matrix, labels = _groups()
    figure = scatter_figure(matrix[:, :2], labels, title="Functionals, 特征")
    png = png_of(figure)
    assert_drawn(png)
    assert {"happy (20)", "sad (20)", "zen (20)"} <= texts(figure)
    # Points are a little transparent: over white, the colour is mixed with it.
    assert not has_colour(png, EMOTION_COLOURS["angry"])


@pytest.mark.parametrize("count", [2, 24, MOST_IN_LEGEND + 1])
def test_speakers_by_the_dozen(count: int) -> None:
    rng = np.random.default_rng(0)
    figure = scatter_figure(
        rng.normal(size=(200, 2)), [f"{i % count:02d}" for i in range(200)], title="Speakers", kind="speaker"
    )
    assert_drawn(png_of(figure))
    assert bool(figure.legends) == (count <= MOST_IN_LEGEND)
    assert (f"Speakers ({count} speakers)" in texts(figure)) == (count > MOST_IN_LEGEND)


@pytest.mark.parametrize(
    ("ratios", "keep", "text"),
    [
        ([0.6, 0.3, 0.1], 0.9, "2 of 3 components keep 90.0 %"),
        ([0.6, 0.3, 0.1], 0.91, "3 of 3 components keep 100.0 %"),
        ([0.5, 0.2], 0.95, "2 of 2 components keep 70.0 %"),
        ([1.0], 0.95, "1 of 1 components keep 100.0 %"),
    ],
)
def test_the_number_of_components_that_are_needed(ratios: list[float], keep: float, text: str) -> None:
    figure = variance_figure(ratios, keep=keep)
    assert text in texts(figure)
    assert_drawn(png_of(figure))
