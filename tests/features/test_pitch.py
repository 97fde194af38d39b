from __future__ import annotations

from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.features.config import FeatureConfig
from emovox.features.pitch import SILENCE_POWER, TINY, _first_trough, lags, yin
from emovox.features.speech_like import speech_like
from emovox.schema.errors import ConfigError

Array = npt.NDArray[np.float64]

ROUNDING = 2e-6
"""Error of an autocorrelation in float32, as a share of lag 0: block sums and librosa's transforms stay below 1e-6."""

VOICED_HZ = 0.005
"""Relative error of F0 on a clean periodic sound: the estimate is an interpolated whole number of samples."""


def exact_difference(samples: npt.NDArray[np.float32], *, length: int = 2048, hop: int = 160) -> tuple[Array, Array]:
    """The normalised difference at lags 0 to 247 by float64 transforms, and how far float32 rounding may move it."""
    _, longest = lags(sample_rate=16000, fmin=65, fmax=500, length=length)
    padded = np.pad(samples.astype(np.float64), length // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::hop]
    spectrum = np.abs(np.fft.rfft(frames, 2 * length)) ** 2
    correlation = np.fft.irfft(spectrum)[:, : longest + 1]
    energy = np.cumsum(frames**2, axis=1)[:, :longest]
    difference = 2 * (correlation[:, :1] - correlation[:, 1:]) - energy
    mean = np.cumsum(difference, axis=1) / np.arange(1, longest + 1) + TINY
    first = np.zeros((len(frames), 1))
    return np.hstack([first, difference / mean]), np.hstack([first, ROUNDING * correlation[:, :1] / np.abs(mean)])


def possible_lags(difference: Array, error: Array, *, shortest: int = 32, threshold: float = 0.1) -> list[int]:
    """All lags that YIN may choose when each value is off by its error: one, unless there is a tie."""
    found = []
    for k in range(shortest, difference.size):
        slack = 2 * error[k]
        left = difference[k] - difference[k - 1] if k > shortest else -np.inf
        right = difference[k] - difference[k + 1] if k + 1 < difference.size else -np.inf
        if max(left, right) < slack and difference[k] < threshold + slack:
            found.append(k)
            if max(left, right) < -slack and difference[k] < threshold - slack:
                return found
    inside = difference[shortest:]
    return found + [int(k) + shortest for k in np.flatnonzero(inside <= inside.min() + 2 * error[shortest:])]


def assert_chooses_a_possible_lag(samples: npt.NDArray[np.float32], f0: npt.NDArray[Any]) -> None:
    differences, errors = exact_difference(samples)
    periods = 16000 / np.asarray(f0, np.float64)
    for t, period in enumerate(periods):
        allowed = possible_lags(differences[t], errors[t])
        assert min(abs(period - lag) for lag in allowed) < 1, f"frame {t}: period {period}, possible {allowed[:5]}"


def test_chooses_the_minimum_of_the_exact_function(sound: npt.NDArray[np.float32]) -> None:
    assert_chooses_a_possible_lag(sound, yin(sound)[0])


def test_librosa_differs_only_where_two_minima_tie(
    sound: npt.NDArray[np.float32], librosa_features: Callable[..., dict[str, npt.NDArray[Any]]]
) -> None:
    assert_chooses_a_possible_lag(sound, librosa_features(sound, FeatureConfig())["f0"])


def test_ties_are_rare_in_speech() -> None:
    differences, errors = exact_difference(speech_like(2.0))
    energy = [len(possible_lags(d, e)) for d, e in zip(differences, errors, strict=True) if e.max() > 0]
    assert np.mean(np.array(energy) == 1) > 0.95


@settings(max_examples=20, deadline=None)
@given(frequency=st.floats(70, 480), level=st.floats(1e-3, 1.0))
def test_finds_the_pitch_of_a_voice(frequency: float, level: float) -> None:
    time = np.arange(8000) / 16000
    voice = sum((np.sin(2 * np.pi * k * frequency * time) / k for k in (1, 2, 3)), start=np.zeros(8000))
    f0, voiced = yin((level * voice / 2).astype(np.float32))
    inner = slice(7, -7)  # frames that reach beyond the sound see its edge
    assert voiced[inner].all()
    np.testing.assert_allclose(f0[inner], frequency, rtol=VOICED_HZ)


@settings(max_examples=15, deadline=None)
@given(hop=st.integers(1, 700), length=st.sampled_from([600, 1024, 2048]), n=st.integers(1, 3000))
def test_any_hop_gives_the_same_frames(hop: int, length: int, n: int) -> None:
    samples = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    f0, voiced = yin(samples, hop=hop, length=length)
    for t in {0, len(f0) // 2, len(f0) - 1}:
        # the same frame alone: cut out, with the zeros that lie around it
        padded = np.pad(samples, length // 2)[t * hop : t * hop + length]
        alone, voice = yin(padded, hop=length // 2, length=length)
        assert voiced[t] == voice[1]
        assert f0[t] == pytest.approx(alone[1], rel=1e-3)


def test_chunks_of_frames_leave_no_seam() -> None:
    samples = speech_like(12.0)
    f0, voiced = yin(samples)
    later, voiced_later = yin(samples[300 * 160 :])
    np.testing.assert_array_equal(f0[310:], later[10:])
    np.testing.assert_array_equal(voiced[310:], voiced_later[10:])


def test_digital_silence_and_noise_are_unvoiced() -> None:
    assert not yin(np.zeros(8000, np.float32))[1].any()
    noise = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    assert not yin(0.1 * noise)[1].any()


def test_a_tone_below_one_step_of_16_bits_is_silence() -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(8000) / 16000)
    for level, voiced in ((1.1, True), (0.9, False)):
        amplitude = level * np.sqrt(2 * SILENCE_POWER)
        assert yin((amplitude * tone).astype(np.float32))[1][10:-10].all() == voiced


def test_result_types_and_range() -> None:
    f0, voiced = yin(speech_like(1.0), fmin=80, fmax=400)
    assert f0.dtype == np.float32
    assert voiced.dtype == np.bool_
    assert f0.shape == voiced.shape == (101,)
    assert f0.min() >= 16000 / 201
    assert f0.max() <= 16000 / 39


@given(st.lists(st.integers(0, 4), min_size=3, max_size=12), st.integers(1, 5))
def test_level_ground_is_a_trough_where_librosa_says_so(values: list[int], threshold: int) -> None:
    difference = np.array(values, np.float64)
    troughs = librosa.util.localmin(difference)
    troughs[0] = difference[0] < difference[1]  # as librosa.yin does
    found = np.flatnonzero(troughs & (difference < threshold))
    expected = (found[0], True) if found.size else (np.argmin(difference), False)
    assert _first_trough(difference, 0, float(threshold)) == expected


@pytest.mark.parametrize(("fmin", "fmax"), [(0, 400), (400, 100), (100, 9000)])
def test_a_wrong_range_is_an_error(fmin: float, fmax: float) -> None:
    with pytest.raises(ConfigError, match=r"expected 0 < fmin < fmax <= 8000 Hz"):
        yin(np.zeros(100, np.float32), fmin=fmin, fmax=fmax)


def test_too_few_lags_are_an_error() -> None:
    with pytest.raises(ConfigError, match="expected three or more; widen fmin to fmax or the frame"):
        yin(np.zeros(100, np.float32), length=32)
