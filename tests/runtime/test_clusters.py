"""Ward's clustering against a plain one, and what counts as a speaker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from emovox.audio.types import Samples
from emovox.runtime.clusters import CHUNK, MOST_FOUND, Numbers, by_appearance, group, merged, unit_means


def made_voices(
    counts: Sequence[int], *, spread: float = 0.03, seed: int = 0, width: int = 32
) -> tuple[Samples, Numbers]:
    """Return unit vectors around one centre per speaker, in random order, and the speaker of each."""
    rng = np.random.default_rng(seed)
    owners = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    centres = np.eye(width)[: len(counts)] + 0.05
    rows = centres[owners] + spread * rng.standard_normal((len(owners), width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), owners


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 40), count=st.integers(1, 6), seed=st.integers(0, 99))
def test_merging_is_that_of_scipy(n: int, count: int, seed: int) -> None:
    points = np.random.default_rng(seed).standard_normal((n, 3))
    count = min(n, count)
    expected = fcluster(linkage(points, "ward"), count, "maxclust")
    assert by_appearance(merged(points, np.ones(n), count)).tolist() == by_appearance(expected).tolist()


def test_a_weight_is_as_many_embeddings() -> None:
    points = np.array([[0.0], [1.0], [1.9]])
    many = np.repeat(points, [9, 1, 1], axis=0)
    found = merged(points, np.array([9.0, 1.0, 1.0]), 2)
    assert found[[0] * 9 + [1, 2]].tolist() == merged(many, np.ones(11), 2).tolist()


@pytest.mark.parametrize("counts", [(40,), (30, 20), (20, 30, 25), (12, 12, 12, 12)])
@pytest.mark.parametrize("known", [True, False])
def test_speakers_are_found_and_numbered_by_appearance(counts: Sequence[int], known: bool) -> None:
    voices, owners = made_voices(counts)
    found = group(voices, speakers=len(counts) if known else None)
    assert found.tolist() == by_appearance(owners).tolist()


def test_a_long_recording_is_condensed_first() -> None:
    voices, owners = made_voices((700, 500, 300))
    assert len(voices) > 2 * CHUNK
    assert group(voices).tolist() == by_appearance(owners).tolist()


def test_few_odd_windows_are_no_speaker() -> None:
    voices, _ = made_voices((95, 5))
    assert group(voices).max() == 0
    assert group(voices, speakers=2).max() == 1


def test_there_are_no_more_speakers_than_embeddings() -> None:
    voices, _ = made_voices((2, 1))
    assert group(voices, speakers=20).max() == 2
    assert group(voices[:1], speakers=3).tolist() == [0]
    assert group(voices[:0]).tolist() == []


def test_no_more_than_the_most_are_found() -> None:
    voices, _ = made_voices((20,) * (MOST_FOUND + 3))
    assert group(voices).max() < MOST_FOUND


def test_means_have_norm_1_also_of_nothing() -> None:
    voices, owners = made_voices((5, 7))
    np.testing.assert_allclose(np.linalg.norm(unit_means(voices, np.ones(12), owners), axis=1), 1, atol=1e-6)
    assert np.isfinite(unit_means(np.zeros((2, 4)), np.ones(2), np.array([0, 1]))).all()
