from __future__ import annotations

import os
import random
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr
import torch

from emovox.audio.types import Samples
from emovox.features.config import FeatureConfig
from emovox.features.decimate import decimate, half_rate
from emovox.features.frames import pitch
from emovox.models.front_end.pitch import Decimator, Yin, transform_length
from emovox.testing import RATE
from tests.sounds import edge_cases, gliding

Track = npt.NDArray[np.float32]

HALF = half_rate(FeatureConfig())
SAME_ALGORITHM = 1e-3
"""Relative difference in Hz from the compiled YIN on the same decimated audio; measured 2e-5 on clear voices."""

PROMISED_SHARE, PROMISED_RANGE = 0.95, 0.02
"""Of the frames that are called voiced, this share lies this close to librosa.yin at the full rate."""


@pytest.fixture(scope="module")
def yin() -> Yin:
    return Yin(HALF)


@pytest.fixture(scope="module")
def decimator() -> Decimator:
    return Decimator()


def track(yin: Yin, halved: Samples) -> tuple[Track, npt.NDArray[np.bool_]]:
    f0, voiced = yin(torch.from_numpy(halved)[None])
    return f0[0].numpy(), voiced[0].numpy() > 0


def share_near_librosa(yin: Yin, samples: Samples) -> tuple[int, int]:
    """Voiced frames that keep the promise, and voiced frames."""
    f0, voiced = track(yin, decimate(samples))
    reference = librosa.yin(samples, fmin=65, fmax=500, sr=RATE, frame_length=2048, hop_length=320)
    near = np.abs(f0 / reference - 1) < PROMISED_RANGE
    return int(near[voiced].sum()), int(voiced.sum())


@pytest.mark.parametrize("n", [1280, 1281, 4800, 16000, 16063, 24007])
def test_decimator_equals_the_numpy_filter(decimator: Decimator, n: int) -> None:
    batch = np.stack([gliding(n), gliding(n, seed=1)])
    np.testing.assert_allclose(decimator(torch.from_numpy(batch)).numpy(), decimate(batch), atol=1e-6)


@pytest.mark.parametrize("n", [4800, 16000, 48001])
def test_f0_is_that_of_librosa_on_the_same_audio(yin: Yin, n: int) -> None:
    halved = decimate(gliding(n, seed=4))
    f0, _ = track(yin, halved)
    expected = librosa.yin(halved, fmin=65, fmax=500, sr=8000, frame_length=1024, hop_length=160)
    assert f0.shape == expected.shape == (1 + n // 320,)
    assert np.mean(np.abs(f0 / expected - 1) < SAME_ALGORITHM) > 0.99


@pytest.mark.parametrize("seed", range(4))
def test_f0_and_voicing_are_those_of_the_compiled_features(yin: Yin, seed: int) -> None:
    halved = decimate(gliding(48000, seed=seed))
    f0, voiced = track(yin, halved)
    expected, expected_voiced = pitch(halved, HALF)
    assert np.mean(voiced != expected_voiced) < 0.01
    both = voiced & expected_voiced
    assert both.sum() > 10
    np.testing.assert_allclose(f0[both], expected[both], rtol=SAME_ALGORITHM)


@pytest.mark.parametrize("name", ["zeros", "impulse", "offset", "noise"])
def test_what_is_no_voice_is_unvoiced(yin: Yin, name: str) -> None:
    f0, voiced = track(yin, decimate(edge_cases()[name]))
    assert not voiced.any()
    assert np.isfinite(f0).all()


@pytest.mark.parametrize("hz", [70.0, 123.4, 200.0, 333.3, 480.0])
def test_f0_of_a_harmonic_tone_is_its_frequency(yin: Yin, hz: float) -> None:
    t = np.arange(RATE) / RATE
    tone = sum(np.sin(2 * np.pi * k * hz * t) / k for k in range(1, 6)) * 0.2
    f0, voiced = track(yin, decimate(np.asarray(tone, np.float32)))
    inside = slice(4, -4)
    assert voiced[inside].all()
    # two neighbouring lags at 8 kHz are 6 % apart at 480 Hz: the parabola leaves up to 0.4 %
    np.testing.assert_allclose(f0[inside], hz, rtol=5e-3)


def test_digital_silence_with_a_tone_in_it_is_unvoiced(yin: Yin) -> None:
    tone = np.sin(2 * np.pi * 150 * np.arange(8000) / 8000)
    assert track(yin, (1e-4 * tone).astype(np.float32))[1][4:-4].all()
    assert not track(yin, (1e-6 * tone).astype(np.float32))[1].any()


def test_generated_speech_keeps_the_promise(yin: Yin) -> None:
    near, voiced = np.sum([share_near_librosa(yin, gliding(48000, seed=seed)) for seed in range(4)], axis=0)
    assert voiced > 100
    assert near >= PROMISED_SHARE * voiced


@pytest.mark.corpora
@pytest.mark.parametrize("corpus", ["casia", "emodb", "nemo", "ravdess", "tess"])
def test_real_speech_keeps_the_promise(yin: Yin, corpus: str) -> None:
    root = os.environ.get("EMOVOX_CORPORA")
    if root is None or not Path(root, corpus).is_dir():
        pytest.skip(f"EMOVOX_CORPORA has no {corpus}")
    files = sorted(path for path in Path(root, corpus).rglob("*") if path.suffix.lower() in {".wav", ".flac", ".ogg"})
    counts = np.zeros(2, int)
    for path in random.Random(7).sample(files, 8):
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        counts += share_near_librosa(yin, soxr.resample(audio.mean(1), rate, RATE).astype(np.float32))
    near, voiced = counts
    assert voiced > 50
    assert near >= PROMISED_SHARE * voiced


@pytest.mark.parametrize(("length", "hop", "longest"), [(1024, 160, 124), (1024, 441, 124), (512, 100, 80)])
def test_transform_is_long_enough_not_to_wrap(length: int, hop: int, longest: int) -> None:
    n_fft = transform_length(length, hop, longest)
    assert length + longest <= n_fft < length + longest + 2 * np.gcd(length, hop)
