"""The memory of clips is bounded, balanced and the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.adaptation.replay import Replay
from emovox.schema.errors import ModelError

CAPACITY, SCALE = 30, 1000


def filled(labels: list[int], *, capacity: int = CAPACITY) -> Replay:
    """Return a memory after clips whose embedding holds their number."""
    replay = Replay.empty(1, 3)
    for number, label in enumerate(labels):
        row = np.array([number / SCALE], np.float32)
        replay = replay.added(row, np.full(3, 1 / 3, np.float32), label, capacity=capacity)
    return replay


def stream(n: int, shares: tuple[float, ...] = (0.7, 0.2, 0.1), seed: int = 0) -> list[int]:
    return list(np.random.default_rng(seed).choice(3, n, p=shares))


def test_all_clips_are_kept_until_it_is_full_and_never_more() -> None:
    labels = stream(400)
    for n in (1, 29, 30, 31, 400):
        replay = filled(labels[:n])
        assert len(replay) == min(n, CAPACITY)
        assert replay.seen.sum() == n
    np.testing.assert_allclose(filled(labels[:30]).embeddings.ravel() * SCALE, np.arange(30), rtol=1e-5)


def test_labels_are_balanced_though_the_stream_is_not() -> None:
    assert filled(stream(400)).counts.tolist() == [10, 10, 10]
    assert filled([0] * 100 + [1] * 3).counts.tolist() == [27, 3, 0]


def test_early_clips_are_as_likely_kept_as_late_ones() -> None:
    halves = [(filled(stream(200, (0.4, 0.3, 0.3), seed)).embeddings < 100 / SCALE).mean() for seed in range(30)]
    assert 0.43 < np.mean(halves) < 0.57


def test_the_same_stream_gives_the_same_memory() -> None:
    one, two = filled(stream(200)), filled(stream(200))
    np.testing.assert_array_equal(one.embeddings, two.embeddings)
    np.testing.assert_array_equal(one.labels, two.labels)


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    good = filled([0, 1, 2])
    fields = {name: getattr(good, name) for name in ("embeddings", "scores", "labels", "seen")}
    bad: list[tuple[str, np.ndarray, str]] = [
        ("labels", np.array([0, 1]), "one row per clip"),
        ("scores", np.ones(3, np.float32), "one row per clip"),
        ("embeddings", good.embeddings * np.nan, "above 1, or NaN"),
        ("embeddings", good.embeddings + 2, "above 1, or NaN"),
        ("scores", good.scores - 9, "above 1, or NaN"),
        ("labels", np.array([0, 1, 7]), "never seen"),
        ("labels", np.array([0, 1, -1]), "never seen"),
        ("seen", np.zeros(3, np.int64), "never seen"),
    ]
    for name, array, message in bad:
        with pytest.raises(ModelError, match=message):
            Replay(**{**fields, name: array})
