"""Frames of a whole signal and of a stream."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovox.audio.framing import FrameBuffer, frame
from emovox.schema.errors import AudioError


@given(n=st.integers(0, 60), length=st.integers(1, 20), hop=st.integers(1, 25))
def test_frames_are_slices(n: int, length: int, hop: int) -> None:
    samples = np.arange(2 * n, dtype=np.float32).reshape(2, n)
    frames = frame(samples, length=length, hop=hop)
    assert frames.shape == (2, max(0, 1 + (n - length) // hop), length)
    for index in range(frames.shape[1]):
        assert np.array_equal(frames[:, index], samples[:, index * hop : index * hop + length])


@given(cuts=st.lists(st.integers(0, 30), max_size=8), length=st.integers(1, 20), hop=st.integers(1, 25))
def test_stream_gives_the_frames_of_the_whole(cuts: list[int], length: int, hop: int) -> None:
    samples = np.arange(2 * sum(cuts), dtype=np.float32).reshape(2, -1)
    buffer = FrameBuffer(channels=2, length=length, hop=hop)
    ends = np.cumsum([0, *cuts])
    pieces = [buffer.push(samples[:, a:b]) for a, b in pairwise(ends)]
    joined = np.concatenate([np.empty((2, 0, length), np.float32), *pieces], axis=1)
    expected = frame(samples, length=length, hop=hop)
    assert np.array_equal(joined, expected)
    assert np.array_equal(buffer.rest, samples[:, expected.shape[1] * hop :])


def test_frames_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        frame(np.zeros(10, np.float32), length=4, hop=2)[0, 0] = 1


@pytest.mark.parametrize(("length", "hop"), [(0, 1), (1, 0), (-1, 1)])
def test_lengths_below_one(length: int, hop: int) -> None:
    with pytest.raises(AudioError, match=f"got length {length} and hop {hop}, expected both >= 1"):
        frame(np.zeros(10, np.float32), length=length, hop=hop)
