"""Twice the rate: the offline resampler's samples, whatever the pieces."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from emovox.audio.resampling import REACH, Doubler
from emovox.audio.types import Samples

TOLERANCE = 1e-6


def noise(channels: int, n: int) -> Samples:
    return np.random.default_rng(0).uniform(-0.9, 0.9, (channels, n)).astype(np.float32)


def doubled(samples: Samples, sizes: list[int]) -> Samples:
    doubler = Doubler(len(samples))
    pieces = np.split(samples, np.cumsum(sizes), axis=1)
    return np.concatenate([*map(doubler.feed, pieces), doubler.flush()], axis=1)


@given(n=st.integers(1, 1500), sizes=st.lists(st.integers(0, 400), max_size=8), channels=st.integers(1, 2))
def test_any_pieces_give_what_soxr_gives_of_the_whole(n: int, sizes: list[int], channels: int) -> None:
    samples = noise(channels, n)
    expected = soxr.resample(samples.T, 8000, 16000).reshape(-1, channels).T
    found = doubled(samples, sizes)
    assert found.shape == (channels, 2 * n)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, : expected.shape[1]], expected, atol=TOLERANCE)


def test_a_sample_is_given_as_soon_as_what_it_depends_on_is_there() -> None:
    doubler = Doubler(1)
    given_on = [doubler.feed(np.ones((1, 50), np.float32)).shape[1] for _ in range(6)]
    assert np.cumsum(given_on).tolist() == [max(0, 2 * (50 * (step + 1) - REACH)) for step in range(6)]


def test_every_channel_is_its_own() -> None:
    samples = noise(2, 700)
    together = doubled(samples, [100, 33])
    for channel in range(2):
        assert np.array_equal(doubled(samples[channel : channel + 1], [500])[0], together[channel])


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_any_audio(n: int) -> None:
    assert doubled(noise(1, n), []).shape == (1, 2 * n)
