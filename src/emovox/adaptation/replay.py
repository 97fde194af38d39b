"""A bounded memory of labelled clips, balanced over the labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples
from emovox.schema.errors import ModelError

Counts = npt.NDArray[np.int64]

CAPACITY = 280
"""Clips of a memory, at most: 40 of each of seven labels. Fewer forget more, more take longer than 10 ms to learn."""

_ROUNDING = 1e-3
"""Tolerance of lengths and scores; quantised graphs exceed 1 slightly."""


@dataclass(frozen=True, eq=False, slots=True)
class Replay:
    """What is kept of n labelled clips. It is personal data: an embedding describes a single clip.

    Attributes:
        embeddings: [n, d] float32, each of length 1.
        scores: [n, labels] float32, without correction.
        labels: [n], indices.
        seen: [labels], number of clips of each label so far, also of those that are no longer kept.

    Raises:
        ModelError: shapes do not fit each other, a value is above 1 or NaN, or a label is no index.
    """

    embeddings: Samples
    scores: Samples
    labels: Counts
    seen: Counts

    def __post_init__(self) -> None:
        """Raise an error for arrays that no clips have."""
        n, shapes = len(self.labels), (self.embeddings.shape, self.scores.shape, self.labels.shape, self.seen.shape)
        if [len(shape) for shape in shapes] != [2, 2, 1, 1] or not (
            n == len(self.embeddings) == len(self.scores) and self.scores.shape[1] == len(self.seen)
        ):
            raise ModelError(f"a memory of clips has arrays of the shapes {shapes}, expected one row per clip")
        lengths = np.linalg.norm(self.embeddings.astype(np.float64), axis=1)
        if not ((lengths < 1 + _ROUNDING).all() and (np.abs(self.scores - 0.5) < 0.5 + _ROUNDING).all()):
            raise ModelError("a memory of clips holds embeddings or scores above 1, or NaN, expected numbers up to 1")
        if not ((self.labels >= 0) & (self.labels < len(self.seen))).all() or (self.counts > self.seen).any():
            raise ModelError("a memory of clips has labels that were never seen, expected indices of labels")

    @classmethod
    def empty(cls, width: int, labels: int) -> Replay:
        """Return a memory without clips, for embeddings of a width d and a number of labels."""
        nothing = np.zeros(0, np.int64)
        return cls(
            np.zeros((0, width), np.float32), np.zeros((0, labels), np.float32), nothing, np.zeros(labels, np.int64)
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> Counts:
        """Number of clips that are kept of each label."""
        return np.bincount(self.labels, minlength=len(self.seen))

    def added(self, embedding: Samples, scores: Samples, label: int, *, capacity: int = CAPACITY) -> Replay:
        """Return the memory after a further clip.

        A full memory drops a clip of a label that has most. Among those of one label, each clip so far is as likely to
        be kept as any other: class-balancing reservoir sampling, Chrysakis and Moens, ICML 2020. What is drawn depends
        on the clips so far alone.

        Args:
            embedding: [d], of length 1.
            scores: [labels].
            label: its index.
            capacity: clips to keep at most.
        """
        seen = self.seen + (np.arange(len(self.seen)) == label)
        if len(self) < capacity:
            return Replay(
                np.concatenate([self.embeddings, embedding[None]]),
                np.concatenate([self.scores, scores[None]]),
                np.append(self.labels, label),
                seen,
            )
        place = self._place(label, int(seen[label]), np.random.default_rng(seen))
        if place is None:
            return replace(self, seen=seen)
        kept = Replay(self.embeddings.copy(), self.scores.copy(), self.labels.copy(), seen)
        kept.embeddings[place], kept.scores[place], kept.labels[place] = embedding, scores, label
        return kept

    def _place(self, label: int, seen: int, rng: np.random.Generator) -> int | None:
        """Return which clip a new one replaces; None: it is not kept."""
        counts = self.counts
        largest = counts == counts.max()
        if not largest[label]:
            return int(rng.choice(np.flatnonzero(largest[self.labels])))
        if rng.random() >= counts[label] / seen:
            return None
        return int(rng.choice(np.flatnonzero(self.labels == label)))
