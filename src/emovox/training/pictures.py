"""Pictures of a training: neighbouring clips by t-SNE, by emotion, by speaker and by corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from emovox.corpora.folds import speaker_key
from emovox.evaluation.report.scatter import scatter_figure, tsne
from emovox.evaluation.report.style import save_figure
from emovox.models.trained import TrainedModel
from emovox.training.data.statistics import pooled
from emovox.training.data.task import Indices, Task
from emovox.training.data.views import WHOLE
from emovox.training.network import NetworkMethod
from emovox.training.run import Run
from emovox.training.run_folder import model_folder
from emovox.training.stages.head import embeddings

FOLDER = "pictures"
"""Folder of the pictures in a run folder."""

MOST_CLIPS = 1500
"""Most clips in a picture; more are thinned evenly: time grows with their number, and points hide each other."""

FEWEST_CLIPS = 5
"""Fewest clips of a picture; a layout of fewer points is meaningless."""


def write_scatters(
    task: Task, values: np.ndarray[Any, Any], owner: Indices, folder: Path, *, what: str, seed: int
) -> list[Path]:
    """Write t-SNE of values by emotion, speaker and (of several) corpus.

    Speaker and corpus show what the values express beside the emotion. Clusters of one speaker are the reason why an
    unknown voice is hard.

    Args:
        task: the clips.
        values: [n, p], a row for each clip.
        owner: [n] number of the clip of each row.
        folder: gets the PNGs.
        what: first word of the titles, e.g. "Functionals".
        seed: of the layout.

    Returns:
        The paths of the files; none for fewer than five clips.
    """
    if len(owner) < FEWEST_CLIPS:
        return []
    every = -(-len(owner) // MOST_CLIPS)
    clips = [task.clips[clip] for clip in owner[::every]]
    points = tsne(values[::every], seed=seed)
    names = {
        "emotion": [task.classes[label] for label in task.labels[owner[::every]]],
        "speaker": [speaker_key(clip) if len(task.corpora) > 1 else clip.speaker or "?" for clip in clips],
    }
    if len(task.corpora) > 1:
        names["corpus"] = [clip.corpus for clip in clips]
    files = []
    for kind, labels in names.items():
        title = f"{what} of {len(clips)} clips by {kind} (t-SNE)"
        files.append(folder / f"tsne-{kind}.png")
        save_figure(scatter_figure(points, labels, title=title, kind=kind), files[-1])
    return files


def write_embeddings(method: NetworkMethod, run: Run[TrainedModel]) -> list[Path]:
    """Write t-SNE of a network's embedding of whole clips: of the final model, else of the first fold's.

    Returns:
        The paths of the files, in the folder `pictures` of the run.
    """
    first = min(int(path.stem) for path in (run.folder / "folds").glob("*.json"))
    network = (run.model or TrainedModel.load(model_folder(run.folder, first))).network
    rows = method.inputs.select(np.arange(len(method.task.clips)), (WHOLE,))
    values = embeddings(network.head, pooled(network.encoder, method.inputs, rows))
    folder, owner = run.folder / FOLDER, method.inputs.owner[rows]
    return write_scatters(method.task, values, owner, folder, what="Embedding", seed=method.recipe.seed)
