"""Cutting regions into windows and rounding their audio."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovox.runtime.pcm_buffer import PcmBuffer
from emovox.runtime.tiles import count_windows, extend, split_region

WINDOW, STEP = 300, 50


@pytest.mark.parametrize(
    ("length", "lengths"),
    [
        (20, [20]),
        (300, [300]),
        (449, [449]),  # a remainder just under half a window joins
        (450, [300, 150]),
        (600, [300, 300]),
        (740, [300, 440]),
        (760, [300, 300, 160]),
    ],
)
def test_split_region(length: int, lengths: list[int]) -> None:
    tiles = split_region(1000, 1000 + length, window=WINDOW)
    assert [end - start for start, end in tiles] == lengths
    assert tiles[0][0] == 1000
    assert tiles[-1][1] == 1000 + length


@given(start=st.integers(0, 10**6), length=st.integers(1, 10**5), window=st.integers(2, 10**4))
def test_windows_join_and_only_the_last_differs(start: int, length: int, window: int) -> None:
    tiles = split_region(start, start + length, window=window)
    assert len(tiles) == count_windows(length, window=window)
    assert [end for _, end in tiles[:-1]] == [first for first, _ in tiles[1:]]
    assert all(end - first == window for first, end in tiles[:-1])
    last = tiles[-1][1] - tiles[-1][0]
    assert last < 1.5 * window
    assert last >= window / 2 or len(tiles) == 1


def test_a_longer_region_never_takes_back_a_window() -> None:
    counts = [count_windows(length, window=WINDOW) for length in range(1, 3000)]
    assert counts == sorted(counts)


def test_extension_is_shared_between_both_sides() -> None:
    assert extend(200, 230, step=STEP) == (190, 240)
    assert extend(200, 231, step=STEP) == (191, 241)


def test_a_multiple_is_left_alone() -> None:
    assert extend(200, 300, step=STEP, total=1000) == (200, 300)


def test_at_the_ends_the_piece_moves_inwards() -> None:
    assert extend(3, 33, step=STEP, total=1000) == (0, 50)
    assert extend(965, 995, step=STEP, total=1000) == (950, 1000)


def test_a_recording_shorter_than_the_step_is_taken_whole() -> None:
    assert extend(5, 30, step=STEP, total=40) == (0, 40)


@given(start=st.integers(0, 900), length=st.integers(1, 400), rest=st.integers(0, 500))
def test_extension_holds_the_tile_and_little_more(start: int, length: int, rest: int) -> None:
    total = start + length + rest
    first, end = extend(start, start + length, step=STEP, total=total)
    assert 0 <= first <= start
    assert start + length <= end <= total
    assert (end - first) % STEP == 0 or end - first == total
    assert end - first < length + STEP
    assert first > start - STEP  # what the segmenter keeps before a tile


class TestPcmBuffer:
    def test_gives_back_what_a_16_bit_recording_holds(self) -> None:
        samples = (np.arange(-32768, 32768) / 32768).astype(np.float32)
        buffer = PcmBuffer()
        buffer.append(samples)
        np.testing.assert_array_equal(buffer.cut(0, samples.size), samples)

    def test_rounds_to_the_last_bit_and_clips(self) -> None:
        buffer = PcmBuffer()
        buffer.append(np.array([0.1, -2.0, 2.0], np.float32))
        np.testing.assert_allclose(buffer.cut(0, 3), [0.1, -1, 1], atol=1 / 32768)

    def test_positions_outlive_forgetting(self) -> None:
        buffer = PcmBuffer(slack=10)
        stream = (np.arange(1000) / 1024).astype(np.float32)
        for start in range(0, 1000, 7):
            buffer.append(stream[start : start + 7])
            buffer.forget(buffer.end - 30)
            assert buffer.start > buffer.end - 50
        assert buffer.end == 1000
        np.testing.assert_array_equal(buffer.cut(970, 1000), stream[970:])
        assert buffer.nbytes <= 2 * (30 + 2 * 10 + 7)

    def test_refuses_what_is_forgotten_or_to_come(self) -> None:
        buffer = PcmBuffer(slack=1)
        buffer.append(np.zeros(10, np.float32))
        buffer.forget(5)
        with pytest.raises(ValueError, match=r"got \[4, 8\), expected a part of the kept \[5, 10\)"):
            buffer.cut(4, 8)
        with pytest.raises(ValueError, match=r"got \[8, 11\)"):
            buffer.cut(8, 11)
