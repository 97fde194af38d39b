"""Scores: softmax over the classes that are allowed, and which classes a corpus has."""

from __future__ import annotations

import numpy as np

from emovox.models.scores import class_mask, softmax


def test_softmax_by_hand() -> None:
    logits = np.log(np.array([[1.0, 2.0, 5.0]]))
    np.testing.assert_allclose(softmax(logits), [[0.125, 0.25, 0.625]])
    np.testing.assert_allclose(softmax(logits, np.array([True, True, False])), [[1 / 3, 2 / 3, 0]])
    np.testing.assert_allclose(softmax(logits + 1e5), softmax(logits), atol=1e-9)


def test_class_mask_follows_the_corpora() -> None:
    mask = class_mask(["b", "a", "b", "a"], ["x", "y", "z"], ["x", "y", "z", "y"])
    assert mask.tolist() == [[True, False, True], [False, True, False]] * 2
