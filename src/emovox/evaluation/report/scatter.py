"""Pictures of features: t-SNE scatter coloured by any label, and how much variance principal components keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

from emovox.evaluation.figures.predictions import Floats, natural_key
from emovox.evaluation.report.colours import EMOTION_COLOURS, INK, colours_of
from emovox.evaluation.report.style import (
    new_figure,
    percent_axis,
    plain,
    set_title,
    shown,
)

MOST_IN_LEGEND = 40
"""Most labels in a legend; one with more (the speakers of several corpora) is unreadable."""

_MARKERS = "os^DvPX"
_COMPONENTS = 50  # t-SNE on more dimensions only gets slower (van der Maaten, Hinton, 2008, section 4.2)


def tsne(matrix: npt.ArrayLike, *, seed: int = 0, perplexity: float = 30.0) -> Floats:
    """Return a layout of rows in the plane that keeps neighbours; distances between groups mean little.

    Args:
        matrix: [n, d] features, n >= 5; standardised here, and reduced to 50 principal components.
        seed: of the starting layout.
        perplexity: about how many neighbours a point has; lowered for few rows.

    Returns:
        [n, 2] coordinates without a unit.

    Raises:
        ValueError: fewer than five rows, or values that are not finite.

    Reference: van der Maaten, Hinton, "Visualizing data using t-SNE", JMLR 9, 2008.
    """
    rows = np.asarray(matrix, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 5 or not np.isfinite(rows).all():
        raise ValueError(f"got a matrix of shape {list(rows.shape)}, expected finite [n, d] with n >= 5")
    rows = StandardScaler().fit_transform(rows)
    if rows.shape[1] > _COMPONENTS:
        rows = PCA(min(_COMPONENTS, *rows.shape), random_state=seed).fit_transform(rows)
    method = TSNE(
        perplexity=min(perplexity, (len(rows) - 1) / 3),
        init="pca" if rows.shape[1] > 1 else "random",
        random_state=seed,
    )
    points: Floats = method.fit_transform(rows).astype(np.float64)
    return points


def scatter_figure(points: Floats, labels: Sequence[str], *, title: str, kind: str = "emotion") -> Figure:
    """Draw points coloured by label.

    Args:
        points: [n, 2] coordinates.
        labels: [n] names: emotions, speakers or corpora.
        title: above the picture.
        kind: what the labels are, for the legend.
    """
    found = set(labels)
    order = [name for name in EMOTION_COLOURS if name in found]
    order += sorted(found - set(order), key=natural_key)
    colours = colours_of(order)
    with_legend = len(order) <= MOST_IN_LEGEND
    figure = new_figure(7.6 if with_legend else 6.0, 5.6)
    axes = figure.add_subplot()
    names = np.asarray(labels)
    size = float(np.clip(9000 / max(1, len(names)), 6, 30))
    for index, name in enumerate(order):
        chosen = points[names == name]
        marker = _MARKERS[index // 9 % len(_MARKERS)] if len(order) > 9 else "o"
        axes.scatter(
            chosen[:, 0], chosen[:, 1], s=size, c=colours[name], marker=marker, alpha=0.75, linewidths=0,
            label=f"{shown(name)} ({len(chosen)})",
        )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("t-SNE 1 (no unit)")
    axes.set_ylabel("t-SNE 2 (no unit)")
    heading = title if with_legend else f"{title} ({len(order)} {kind}s)"
    set_title(figure, heading)
    plain(axes)
    if with_legend:
        figure.legend(
            title=f"{kind} (clips)", loc="outside right center", frameon=False, fontsize=8, title_fontsize=8.5,
            markerscale=1.6, ncols=1 + (len(order) - 1) // 22,
        )  # fmt: skip
    return figure


def variance_figure(ratios: npt.ArrayLike, *, keep: float = 0.95, title: str = "Principal components") -> Figure:
    """Draw how much variance the first k components keep, and how many are needed for the share `keep`.

    Args:
        ratios: [k] explained variance ratio of each component, in falling order (`PCA.explained_variance_ratio_`).
        keep: share of the variance to mark, in (0, 1].
        title: above the picture.
    """
    shares = np.asarray(ratios, dtype=np.float64)
    total = np.cumsum(shares)
    needed = min(int(np.searchsorted(total, keep - 1e-12)) + 1, len(total))
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    places = np.arange(1, len(total) + 1)
    axes.bar(places, shares, width=1.0, color="#56b4e9", label="one component")
    axes.plot(
        places, total, color="#d55e00", linewidth=1.8, marker="." if len(total) < 40 else None, label="sum so far"
    )
    axes.axhline(keep, color=INK, linewidth=0.9, linestyle=":")
    axes.axvline(needed, color=INK, linewidth=0.9, linestyle=":")
    axes.annotate(
        f"{needed} of {len(total)} components keep {100 * total[needed - 1]:.1f} %", (needed, keep),
        xytext=(8, -16) if needed < 0.6 * len(total) else (-8, -16), textcoords="offset points", fontsize=9,
        ha="left" if needed < 0.6 * len(total) else "right", color=INK,
    )  # fmt: skip
    axes.set_xlabel("components")
    axes.set_ylabel("explained variance [%]")
    axes.set_ylim(0, 1.03)
    axes.set_xlim(0.5, len(total) + 0.5)
    percent_axis(axes, "y")
    set_title(figure, title)
    axes.legend(frameon=False, fontsize=8.5, loc="center right")
    plain(axes, grid="y")
    return figure
