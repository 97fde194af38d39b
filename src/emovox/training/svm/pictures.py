"""Pictures of the functionals: neighbours by t-SNE, and the variance that principal components keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from emovox.corpora.folds import speaker_key
from emovox.evaluation.report.scatter import scatter_figure, tsne, variance_figure
from emovox.evaluation.report.style import save_figure
from emovox.features.groups import group_columns
from emovox.training.data.views import WHOLE
from emovox.training.svm.method import SvmMethod

MOST_CLIPS = 1500
"""Most clips in a picture; more are thinned evenly: time grows with their number, and points hide each other."""


def write_pictures(method: SvmMethod, folder: Path) -> list[Path]:
    """Write t-SNE by emotion, speaker and (of several) corpus, and the variance that the components keep.

    Speaker and corpus show what the features express beside the emotion. Clusters of one speaker are the reason why an
    unknown voice is hard.

    Args:
        method: has the clips, a point each, and their functionals; its recipe has groups and seed.
        folder: gets the PNGs.

    Returns:
        The paths of the files.
    """
    task, recipe = method.task, method.recipe
    rows = np.flatnonzero(method.inputs.view == WHOLE)
    values, owner = method.values[rows][:, group_columns(recipe.features.groups)], method.inputs.owner[rows]
    every = -(-len(rows) // MOST_CLIPS)
    clips = [task.clips[clip] for clip in owner[::every]]
    points = tsne(values[::every], seed=recipe.seed)
    names = {
        "emotion": [task.classes[label] for label in task.labels[owner[::every]]],
        "speaker": [speaker_key(clip) if len(task.corpora) > 1 else clip.speaker or "?" for clip in clips],
    }
    if len(task.corpora) > 1:
        names["corpus"] = [clip.corpus for clip in clips]
    files = []
    for kind, labels in names.items():
        title = f"Functionals of {len(clips)} clips by {kind} (t-SNE)"
        files.append(folder / f"tsne-{kind}.png")
        save_figure(scatter_figure(points, labels, title=title, kind=kind), files[-1])
    standard = StandardScaler().fit_transform(values)
    ratios = PCA(svd_solver="full").fit(standard).explained_variance_ratio_
    files.append(folder / "pca-variance.png")
    save_figure(variance_figure(ratios, keep=recipe.features.pca or 0.95), files[-1])
    return files
