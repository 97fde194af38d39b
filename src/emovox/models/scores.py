"""Turn logits into probabilities, and mark the classes that a corpus has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


def softmax(logits: Matrix, allowed: npt.NDArray[np.bool_] | None = None) -> Matrix:
    """Return the probabilities of logits [n, classes], of the same shape.

    Args:
        logits: [n, classes].
        allowed: [n, classes] or [classes]; other classes get the probability 0. None allows all.
    """
    masked = logits if allowed is None else np.where(allowed, logits, -np.inf)
    powers = np.exp(masked - masked.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def class_mask(corpora: Sequence[str], classes: Sequence[str], labels: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return for each row which classes its corpus has in these rows, shape [n, classes].

    Args:
        corpora: corpus of each row, n items.
        classes: training classes.
        labels: label of each row, n items.

    >>> class_mask(["a", "a", "b"], ["sad", "calm"], ["sad", "calm", "sad"]).tolist()
    [[True, True], [True, True], [True, False]]
    """
    having: dict[str, set[str]] = {}
    for corpus, label in zip(corpora, labels, strict=True):
        having.setdefault(corpus, set()).add(label)
    return np.array([[name in having[corpus] for name in classes] for corpus in corpora], dtype=bool)
