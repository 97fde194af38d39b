"""Silence intervals against librosa."""

from __future__ import annotations

import librosa
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.audio import preprocess
from emovox.audio.preprocess import EnergyTrack, speech_intervals
from emovox.audio.types import Samples
from emovox.schema.errors import AudioError


def bursts(seed: int, *, n: int, channels: int | None = None) -> Samples:
    """Noise whose level jumps at random places by up to 80 dB."""
    rng = np.random.default_rng(seed)
    shape = (n,) if channels is None else (channels, n)
    edges = np.sort(rng.integers(0, n + 1, size=(*shape[:-1], 12)), axis=-1)
    part = (np.arange(n) >= edges[..., np.newaxis]).sum(axis=-2)
    level = 10 ** rng.uniform(-4, 0, 13)[part]
    return np.asarray(level * rng.standard_normal(shape) * 0.3, np.float32)


def reference(
    samples: Samples, *, top_db: float = 20, frame_length: int = 2048, hop_length: int = 512
) -> npt.NDArray[np.int64]:
    return librosa.effects.split(samples, top_db=top_db, frame_length=frame_length, hop_length=hop_length)


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 40_000),
    channels=st.sampled_from([None, 1, 2, 5]),
    top_db=st.sampled_from([3.0, 20.0, 35.5, 60.0]),
)
def test_equal_to_librosa(seed: int, n: int, channels: int | None, top_db: float) -> None:
    samples = bursts(seed, n=n, channels=channels)
    assert np.array_equal(speech_intervals(samples, top_db=top_db), reference(samples, top_db=top_db))


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 5000),
    frame_length=st.integers(1, 700),
    hop_length=st.integers(1, 900),
)
def test_equal_to_librosa_for_any_frames(seed: int, n: int, frame_length: int, hop_length: int) -> None:
    samples = bursts(seed, n=n)
    found = speech_intervals(samples, frame_length=frame_length, hop_length=hop_length)
    expected = reference(samples, frame_length=frame_length, hop_length=hop_length)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(22050, np.float32),
        np.full(22050, 1e-6, np.float32),
        np.ones(22050, np.float32),
        np.ones(1, np.float32),
        np.sign(np.sin(np.arange(22050))).astype(np.float32),
        np.r_[np.zeros(30000), 1, np.zeros(30000)].astype(np.float32),
        np.r_[np.ones(5000), np.zeros(30000), np.ones(512 * 7)].astype(np.float32),
    ],
    ids=["silence", "below the floor", "constant", "one sample", "square", "click", "both ends"],
)
def test_equal_to_librosa_at_the_edges(samples: Samples) -> None:
    assert np.array_equal(speech_intervals(samples), reference(samples))


def test_longer_than_a_chunk() -> None:
    samples = bursts(3, n=3 * preprocess._CHUNK + 17)
    assert np.array_equal(speech_intervals(samples), reference(samples))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 9000), min_size=1, max_size=8))
def test_any_blocks_give_the_same_track(seed: int, cuts: list[int]) -> None:
    samples = bursts(seed, n=max(sum(cuts), 1), channels=2)
    track = EnergyTrack(channels=2)
    for block in np.split(samples, np.cumsum(cuts), axis=1):
        track.add(block)
    assert np.array_equal(track.intervals(top_db=20), speech_intervals(samples))


def test_nothing_at_all() -> None:
    assert speech_intervals(np.empty(0, np.float32)).shape == (0, 2)


def test_frame_length_below_one() -> None:
    with pytest.raises(AudioError, match="got length 0 and hop 512"):
        speech_intervals(np.zeros(10, np.float32), frame_length=0)
