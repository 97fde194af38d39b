"""Group embeddings of voices by speaker: Ward's agglomerative clustering, in little memory for long recordings.

Ward's method needs the mean and the weight of each group only. So a long recording is first condensed, chunk by chunk,
to a few groups per chunk; these are clustered as if they were embeddings.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples

MOST_FOUND = 8
"""Largest number of speakers that is found; more can be given."""

ALIKE = 0.81
"""Cosine of two groups' means above which they are one speaker."""

SMALLEST_SHARE = 0.1
"""Share of the embeddings below which a group is not a speaker."""

CHUNK, CONDENSED = 512, 32
"""Embeddings that are clustered at once, and groups that a chunk is condensed to."""

Floats: TypeAlias = npt.NDArray[np.floating]

Numbers: TypeAlias = npt.NDArray[np.intp]
"""Number of the group of each embedding, from 0."""


def group(voices: Samples, *, speakers: int | None = None) -> Numbers:
    """Return the speaker of each embedding, numbered by first appearance.

    Args:
        voices: [n, width] float32 of norm 1, in order of time.
        speakers: number of speakers, >= 1; fewer are returned if there are fewer embeddings. None finds it, up to
            `MOST_FOUND`.

    Reference:
        Ward, "Hierarchical grouping to optimize an objective function", Journal of the ASA 58 (1963).
    """
    most = min(len(voices), speakers or MOST_FOUND)
    if most < 2:
        return np.zeros(len(voices), np.intp)
    means, weights, numbers = _condensed(np.asarray(voices, np.float64), most)
    found = merged(means, weights, most)
    while speakers is None and found.max() > 0 and not _are_speakers(means, weights, found):
        found = merged(means, weights, found.max())
    return by_appearance(found[numbers])


def merged(means: Floats, weights: Floats, count: int) -> Numbers:
    """Merge groups, always the two that raise the scatter least, until `count` are left.

    Args:
        means: [n, width] mean of each group.
        weights: [n] number of embeddings in each group.
        count: number of groups to return, 1 to n.

    Returns:
        For each group the number of the one that it is part of, shape [n].

    >>> merged(np.array([[0.0], [1.0], [0.1]]), np.ones(3), 2).tolist()
    [0, 1, 0]
    """
    means, weights, n = means.copy(), weights.copy(), len(means)
    numbers, costs = np.arange(n), np.full((n, n), np.inf)
    for row in range(1, n):
        costs[row, :row] = _costs(means[:row], weights[:row], means[row], weights[row])
    for _ in range(n - count):
        gone, kept = sorted(np.unravel_index(np.argmin(costs), costs.shape), reverse=True)
        total = weights[kept] + weights[gone]
        means[kept] = (weights[kept] * means[kept] + weights[gone] * means[gone]) / total
        weights[kept], weights[gone] = total, 0
        numbers[numbers == gone] = kept
        costs[gone], costs[:, gone] = np.inf, np.inf
        new = np.where(weights > 0, _costs(means, weights, means[kept], total), np.inf)
        costs[kept, :kept], costs[kept + 1 :, kept] = new[:kept], new[kept + 1 :]
    return np.unique(numbers, return_inverse=True)[1]


def by_appearance(numbers: Numbers) -> Numbers:
    """Renumber groups in the order in which they first appear.

    >>> by_appearance(np.array([2, 0, 2, 1])).tolist()
    [0, 1, 0, 2]
    """
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def unit_means(voices: Floats, weights: Floats, numbers: Numbers) -> Samples:
    """Return the weighted mean of each group, scaled to norm 1, shape [groups, width]."""
    sums = np.stack([weights[numbers == number] @ voices[numbers == number] for number in range(numbers.max() + 1)])
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9), np.float32)


def _condensed(voices: Floats, most: int) -> tuple[Floats, Floats, Numbers]:
    """Return mean and weight of at most `CHUNK` groups, and the group of each embedding."""
    means, numbers = voices, np.arange(len(voices))
    weights: Floats = np.ones(len(voices))
    while len(means) > CHUNK:
        parts, offset = [], 0
        for first in range(0, len(means), CHUNK):
            chunk = slice(first, first + CHUNK)
            part = merged(means[chunk], weights[chunk], min(len(means[chunk]), max(CONDENSED, most)))
            parts.append(part + offset)
            offset += int(part.max()) + 1
        groups = np.concatenate(parts)
        sums = np.zeros((offset, means.shape[1]))
        np.add.at(sums, groups, means * weights[:, None])
        weights = np.bincount(groups, weights).astype(np.float64)
        means, numbers = sums / weights[:, None], groups[numbers]
    return means, weights, numbers


def _costs(means: Floats, weights: Floats, mean: Floats, weight: float) -> Floats:
    """Return how much the scatter grows when a group is merged with each of the others."""
    return np.asarray(weights * weight / (weights + weight) * np.square(means - mean).sum(axis=1))


def _are_speakers(means: Floats, weights: Floats, numbers: Numbers) -> bool:
    """Return whether no two groups are alike, and none is tiny."""
    centres = unit_means(means, weights, numbers)
    alike = centres @ centres.T - 2 * np.eye(len(centres))
    return bool(alike.max() <= ALIKE and np.bincount(numbers, weights).min() >= SMALLEST_SHARE * weights.sum())
