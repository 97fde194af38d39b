"""Scores of classes: logits to probabilities, and which classes a corpus has at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


def softmax(logits: Matrix, allowed: npt.NDArray[np.bool_] | None = None) -> Matrix:
    """Turn logits [n, classes] into probabilities; classes that are not allowed ([n, classes] or [classes]) get 0."""
    masked = logits if allowed is None else np.where(allowed, logits, -np.inf)
    powers = np.exp(masked - masked.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def class_mask(corpora: Sequence[str], classes: Sequence[str], labels: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Mark for each row which classes its corpus has at all, as found in the rows: [n, classes].

    Args:
        corpora: [n] corpus of each row.
        classes: the training classes.
        labels: [n] label of each row.

    >>> class_mask(["a", "a", "b"], ["sad", "calm"], ["sad", "calm", "sad"]).tolist()
    [[True, True], [True, True], [True, False]]
    """
    having: dict[str, set[str]] = {}
    for corpus, label in zip(corpora, labels, strict=True):
        having.setdefault(corpus, set()).add(label)
    return np.array([[name in having[corpus] for name in classes] for corpus in corpora], dtype=bool)
