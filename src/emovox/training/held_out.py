"""Held-out training speakers: splits, the UAR of scores on them, and the temperature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emovox.corpora.folds import speaker_key
from emovox.evaluation.figures.calibration import fit_temperature, smoothing_for
from emovox.models.scores import Matrix, softmax
from emovox.training.data.task import Indices, Task


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Tiles of held-out clips: `clips` [k] the clips, `owner` [m] the clip of each tile, `seconds` [m] its speech."""

    clips: Indices
    owner: Indices
    seconds: npt.NDArray[np.float64]


def inner_splits(
    task: Task, train: Indices, *, n_splits: int, by_clip: bool, seed: int
) -> Iterator[tuple[Indices, Indices]]:
    """Yield pairs (fit, validation) of training clips, split by speaker; by clip if the protocol is speaker-dependent.

    Each corpus is split separately, so each inner fold has clips of all corpora. A corpus with fewer speakers than
    inner folds is in the validation part of one fold for each speaker. One with a single training speaker is split by
    clip.
    """
    part = np.zeros(len(task.clips), dtype=np.int64)
    for corpus in task.corpora:
        clips = [int(i) for i in train if task.clips[i].corpus == corpus]
        names = [speaker_key(task.clips[i]) for i in clips]
        if by_clip or len(set(names)) < 2:
            # sorted by label first: ids are often numbered label by label, and a part needs clips of all labels
            names = [f"{task.labels[i]:03d} {task.clips[i].id}" for i in clips]
        # sorted names are assigned to the folds in turn; the seed sets the first fold
        order = {name: (place + seed) % n_splits for place, name in enumerate(sorted(set(names)))}
        for i, name in zip(clips, names, strict=True):
            part[i] = order[name]
    for number in np.unique(part[train]):
        yield train[part[train] != number], train[part[train] == number]


def clip_means(values: Matrix, owner: Indices, seconds: npt.NDArray[np.float64], n_clips: int) -> Matrix:
    """Average values [m, k] of tiles over each clip, weighted by seconds of speech, as the timeline does.

    Returns:
        [n_clips, k]; NaN for clips that have no tile.
    """
    total, weight = np.zeros((n_clips, values.shape[1])), np.zeros((n_clips, 1))
    np.add.at(total, owner, values * seconds[:, None])
    np.add.at(weight, owner, seconds[:, None])
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def held_out_uar(task: Task, held: HeldOut, logits: Matrix) -> float:
    """Return the mean over corpora of the UAR of held-out clips, in percent; clips without speech count as wrong.

    Args:
        task: clips and classes.
        held: the tiles of the clips.
        logits: [m, classes] of the tiles.
    """
    means = clip_means(softmax(logits, task.allowed[held.owner]), held.owner, held.seconds, len(task.clips))
    predicted = np.where(np.isnan(means[:, 0]), -1, np.nan_to_num(means).argmax(axis=1))
    corpora = np.array([clip.corpus for clip in task.clips])
    values = []
    for corpus in task.corpora:
        clips = held.clips[corpora[held.clips] == corpus]
        recalls = [np.mean(predicted[clips[task.labels[clips] == k]] == k) for k in np.unique(task.labels[clips])]
        if recalls:
            values.append(100 * float(np.mean(recalls)))
    return float(np.mean(values))


def held_out_temperature(task: Task, held: HeldOut, logits: Matrix) -> float:
    """Return the temperature that fits tiles of held-out clips; all corpora have equal weight, as in the ECE.

    See docs/protocols.md, "Rule 10: calibration". Arguments as for `held_out_uar`.
    """
    masked = np.where(task.allowed[held.owner], logits, -np.inf)
    corpora = np.array([task.clips[clip].corpus for clip in held.owner])
    _, corpus, count = np.unique(corpora, return_inverse=True, return_counts=True)
    smoothing = smoothing_for(len(np.unique(held.owner)), len(task.classes))
    return fit_temperature(masked, task.labels[held.owner], weights=1 / count[corpus], smoothing=smoothing)
