"""Another rate: the samples of the whole, whatever the pieces."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from emovox.audio.resampling import Resampler


@pytest.mark.parametrize(("rate", "target"), [(44100, 16000), (8000, 16000), (11025, 16000), (48000, 16000)])
@given(sizes=st.lists(st.integers(0, 900), max_size=6), channels=st.integers(1, 2))
def test_any_pieces_give_what_soxr_gives_of_the_whole(rate: int, target: int, sizes: list[int], channels: int) -> None:
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, (channels, 3000)).astype(np.float32)
    resampler = Resampler(rate, target, channels)
    pieces = np.split(samples, np.cumsum(sizes), axis=1)
    found = np.concatenate([*map(resampler.feed, pieces), resampler.flush()], axis=1)
    expected = soxr.resample(samples.T, rate, target).reshape(-1, channels).T
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_no_audio() -> None:
    assert Resampler(44100, 16000, 2).flush().shape == (2, 0)
