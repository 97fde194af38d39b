"""The reference recipe, whole and in blocks."""

from __future__ import annotations

import io
from collections.abc import Callable

import librosa
import numpy as np
import pytest

from emovox.audio.preprocess import peak_normalise, preprocess, preprocess_blocks, speech_intervals, trim_silence
from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.schema.errors import AudioError

ROUNDING = 2e-7
"""One multiplication in float32 more or less."""


@pytest.fixture
def samples(tone: Callable[..., Samples], rng: np.random.Generator) -> Samples:
    """[n] at 22,050 Hz: silence, speech-like, pause, quieter, silence, and a click in the last silence."""
    quiet = np.zeros(9000, np.float32)
    signal = np.concatenate([quiet, tone(0.5, 22050), quiet, 0.4 * tone(0.4, 22050), quiet])
    signal[-2000] = 0.6
    return (signal + 1e-4 * rng.standard_normal(signal.size)).astype(np.float32)


def test_trim_keeps_librosas_intervals(samples: Samples) -> None:
    expected = np.concatenate([samples[a:b] for a, b in librosa.effects.split(samples, top_db=20)])
    assert expected.size < samples.size
    assert np.array_equal(trim_silence(samples), expected)


def test_trim_cuts_channels_alike(samples: Samples) -> None:
    pair = np.stack([samples, samples[::-1]])
    trimmed = trim_silence(pair)
    kept = sum(end - start for start, end in speech_intervals(pair))
    assert trimmed.shape == (2, kept)


def test_trim_and_normalise_leave_their_input_alone(samples: Samples) -> None:
    before = samples.copy()
    trimmed = trim_silence(samples)
    trimmed[:] = 0
    peak_normalise(samples)
    assert np.array_equal(samples, before)


def test_normalise_reaches_full_scale_and_no_further() -> None:
    samples = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32) * 7
    normalised = peak_normalise(samples)
    assert np.abs(normalised).max() == pytest.approx(1, abs=ROUNDING)
    assert np.corrcoef(normalised[1], samples[1])[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("samples", [np.zeros(10, np.float32), np.empty(0, np.float32)])
def test_normalise_leaves_silence(samples: Samples) -> None:
    assert np.array_equal(peak_normalise(samples), samples)


def test_recipe_is_trim_then_normalise(samples: Samples) -> None:
    expected = peak_normalise(trim_silence(samples))
    result = preprocess(samples)
    assert result.shape == (1, expected.size)
    assert np.abs(result[0] - expected).max() <= ROUNDING


def test_each_step_can_be_switched_off(samples: Samples) -> None:
    assert np.array_equal(preprocess(samples, top_db=None, normalise=False)[0], samples)
    assert np.array_equal(preprocess(samples, normalise=False)[0], trim_silence(samples))
    assert np.abs(preprocess(samples, top_db=None)[0] - peak_normalise(samples)).max() <= ROUNDING


def test_peak_is_that_of_what_is_kept(samples: Samples) -> None:
    assert np.abs(samples).max() == pytest.approx(0.6, abs=1e-3)  # the click, which is cut away
    assert np.abs(preprocess(samples)).max() == pytest.approx(1, abs=ROUNDING)


@pytest.mark.parametrize("block_seconds", [0.01, 0.1, 0.37])
@pytest.mark.parametrize("channels", ["mix", "split", 1])
def test_blocks_join_to_the_whole(
    block_seconds: float, channels: str | int, samples: Samples, encode: Callable[..., bytes]
) -> None:
    data = encode(np.stack([samples, np.roll(samples, 20000)]), 44100)
    blocks = list(preprocess_blocks(data, channels=channels, block_seconds=block_seconds))  # type: ignore[arg-type]
    assert len(blocks) > 1
    assert np.array_equal(np.concatenate(blocks, axis=1), preprocess(data, channels=channels))  # type: ignore[arg-type]


def test_file_is_resampled_to_the_reference_rate(samples: Samples, encode: Callable[..., bytes]) -> None:
    data = encode(samples, 16000)
    resampled, rate = load_audio(data, sample_rate=22050)
    assert rate == 22050
    assert np.abs(preprocess(io.BytesIO(data)) - peak_normalise(trim_silence(resampled))).max() <= ROUNDING


def test_silence_stays_silence() -> None:
    assert np.array_equal(preprocess(np.zeros(5000, np.float32)), np.zeros((1, 5000)))


def test_bad_input_is_an_audio_error() -> None:
    with pytest.raises(AudioError, match=r"got nan at 0\.000 s in channel 0"):
        preprocess(np.full(100, np.nan, np.float32))
