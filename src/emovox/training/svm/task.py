"""The task of the baseline: clips with their classes, and the functionals of every clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emovox.corpora.manifest import Clip
from emovox.schema.progress import Progress, no_progress
from emovox.training.data.task import Task, make_task
from emovox.training.recipe import Data
from emovox.training.svm.rows import Rows, corpus_rows


@dataclass(frozen=True, eq=False)
class SvmTask(Task):
    """n clips to learn from, with the functionals of them all."""

    rows: Rows


def make_svm_task(
    clips: Sequence[Clip],
    data: Data,
    *,
    cache: Path,
    extra: Sequence[str] = (),
    workers: int = 2,
    progress: Progress = no_progress,
) -> SvmTask:
    """Choose the clips that have a class in the label view, and compute or fetch their functionals.

    Args:
        clips: of the recipe's corpora.
        data: label view and protocol.
        cache: the cache folder.
        extra: views of the clips that the recipe learns from (`Augment.copies`).
        workers: processes that compute features.
        progress: called after each clip of a corpus.

    Raises:
        RecipeError: fewer than two classes are left.
        ProtocolError: the protocol cannot be done on these clips; said before hours of features.
        CorpusError: clips that cannot be decoded.
    """
    task = make_task(clips, data)
    rows = corpus_rows(task.clips, cache=cache, extra=extra, workers=workers, progress=progress)
    return SvmTask(task.clips, task.classes, task.labels, task.allowed, rows)
