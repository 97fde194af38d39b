from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovox.audio.types import Samples
from emovox.runtime.envelope import Envelope

RATE = 1000


def noise(n: int) -> Samples:
    return np.random.default_rng(n).uniform(-1, 1, (2, n)).astype(np.float32)


def outline(samples: Samples, cuts: list[int], *, bins: int) -> tuple[np.ndarray, Samples, Samples]:
    envelope = Envelope(sample_rate=RATE, bins=bins)
    for block in np.split(samples, sorted(cut % samples.shape[1] for cut in cuts), axis=1):
        if block.shape[1]:
            envelope.feed(block)
    return envelope.outline()


@pytest.mark.parametrize("n", [1, 15, 16, 17, 5000])
def test_outline_is_the_minimum_and_maximum_of_equal_stretches(n: int) -> None:
    samples = noise(n)
    time, low, high = outline(samples, [], bins=8)
    assert len(time) == len(low) == len(high)
    assert 1 <= len(time) <= 9
    step = 2 * time[0] * RATE if len(time) > 1 else n
    stretches = [samples[:, k : k + round(step)] for k in range(0, n, round(step))]
    np.testing.assert_array_equal(low, [stretch.min() for stretch in stretches])
    np.testing.assert_array_equal(high, [stretch.max() for stretch in stretches])
    assert np.all((time > 0) & (time < n / RATE))


@given(n=st.integers(1, 3000), cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_any_chunking_gives_the_same_outline(n: int, cuts: list[int]) -> None:
    for whole, parts in zip(outline(noise(n), [], bins=8), outline(noise(n), cuts, bins=8), strict=True):
        np.testing.assert_array_equal(whole, parts)


def test_memory_stays_bounded() -> None:
    envelope = Envelope(sample_rate=16000, bins=64)
    block = noise(160_000)
    for _ in range(40):
        envelope.feed(block)
    time, low, _ = envelope.outline()
    assert 32 <= len(low) <= 65
    assert time[-1] < 400.0
    assert low.min() == block.min()
    np.testing.assert_allclose(np.diff(time)[:-1], time[1] - time[0])
