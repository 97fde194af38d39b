"""Pictures of the functionals: neighbours by t-SNE, and the variance that principal components keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from emovox.evaluation.report.scatter import variance_figure
from emovox.evaluation.report.style import save_figure
from emovox.features.groups import group_columns
from emovox.training.data.views import WHOLE
from emovox.training.pictures import write_scatters
from emovox.training.svm.method import SvmMethod


def write_pictures(method: SvmMethod, folder: Path) -> list[Path]:
    """Write t-SNE by emotion, speaker and (of several) corpus, and the variance that the components keep.

    Args:
        method: has the clips, a point each, and their functionals; its recipe has groups and seed.
        folder: gets the PNGs.

    Returns:
        The paths of the files.
    """
    task, recipe = method.task, method.recipe
    rows = np.flatnonzero(method.inputs.view == WHOLE)
    values, owner = method.values[rows][:, group_columns(recipe.features.groups)], method.inputs.owner[rows]
    files = write_scatters(task, values, owner, folder, what="Functionals", seed=recipe.seed)
    standard = StandardScaler().fit_transform(values)
    ratios = PCA(svd_solver="full").fit(standard).explained_variance_ratio_
    files.append(folder / "pca-variance.png")
    save_figure(variance_figure(ratios, keep=recipe.features.pca or 0.95), files[-1])
    return files
