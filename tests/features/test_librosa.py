"""The frame features are librosa's: on generated, random and real audio, and in the corners."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emovox.audio.files import audio_files
from emovox.audio.reader import load_audio
from emovox.features.config import FeatureConfig
from emovox.features.frames import FrameFeatures, frame_features

Librosa = Callable[[npt.NDArray[np.float32], FeatureConfig], dict[str, npt.NDArray[Any]]]

TOLERANCES = {
    "log_mel": (0.0, 0.01),  # dB; our transform is float32, librosa's float64: 1e-7 of the peak is 0.01 dB at -80 dB
    "mfcc": (0.0, 0.03),  # the cosine transform adds up the errors of 64 bands
    "delta": (0.0, 0.005),  # weights up to 1/15 over nine coefficients
    "delta2": (0.0, 0.005),
    "rms": (1e-5, 1e-9),  # float32 sums of 512 squares in another order
    "zcr": (0.0, 1e-7),  # the same counts
    "centroid": (1e-4, 0.05),  # Hz; magnitudes by float32 against float64 transforms
}
"""Feature → (relative, absolute)."""

F0_RELATIVE = 2e-3
"""A parabola through three nearly equal values (DC, ramps) moves by a thousandth with the rounding of float32."""

OTHER_MINIMUM = 0.005
"""Share of frames in which two minima tie up to rounding and F0 may differ by octaves; test_pitch proves the ties."""

OTHER_BIN = 0.005
"""Share of frames whose running sum meets the roll-off share within rounding; the answer is then one bin apart."""

CONFIGS = {
    "default": FeatureConfig(),
    "40_mels": FeatureConfig(n_mels=40, n_mfcc=20, mel_fmin=50, mel_fmax=7000, rolloff=0.95, top_db=60),
    "hop_not_a_multiple_of_4": FeatureConfig(n_fft=400, hop=99, f0_length=1024, f0_fmin=80, f0_fmax=400),
    "hop_of_a_frame": FeatureConfig(n_fft=256, hop=256, n_mels=24, delta_width=5, f0_threshold=0.2),
    "8_khz": FeatureConfig(sample_rate=8000, n_fft=256, hop=80, n_mels=32, mel_fmax=4000, f0_length=1024),
}


def check(ours: FrameFeatures, theirs: dict[str, npt.NDArray[Any]], config: FeatureConfig) -> None:
    for name, (relative, absolute) in TOLERANCES.items():
        if name in theirs:
            np.testing.assert_allclose(getattr(ours, name), theirs[name], rtol=relative, atol=absolute, err_msg=name)
    frames = len(ours)
    other_minimum = np.abs(ours.f0 / theirs["f0"] - 1) > F0_RELATIVE
    assert other_minimum.sum() <= max(1, OTHER_MINIMUM * frames)
    bins = np.abs(ours.rolloff - theirs["rolloff"]) / (config.sample_rate / config.n_fft)
    assert bins.max() < 1.01
    assert (bins > 0.01).sum() <= max(1, OTHER_BIN * frames)


def test_generated_sounds(sound: npt.NDArray[np.float32], librosa_features: Librosa) -> None:
    check(frame_features(sound), librosa_features(sound, FeatureConfig()), FeatureConfig())


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_other_parameters(name: str, librosa_features: Librosa) -> None:
    config = CONFIGS[name]
    time = np.arange(config.sample_rate) / config.sample_rate
    rng = np.random.default_rng(3)
    glide = np.sin(2 * np.pi * (120 + 60 * time) * time) * (time % 0.4 > 0.1) + 0.02 * rng.standard_normal(time.size)
    samples = (0.4 * glide).astype(np.float32)
    check(frame_features(samples, config), librosa_features(samples, config), config)


@st.composite
def random_audio(draw: st.DrawFn) -> npt.NDArray[np.float32]:
    n = draw(st.integers(1, 5000))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    time = np.arange(n) / 16000
    voice = np.sign(np.sin(2 * np.pi * draw(st.floats(50, 600)) * time)) * draw(st.sampled_from([0.0, 0.5, 1.0]))
    gap = time >= draw(st.sampled_from([0.0, 0.05, 0.2]))
    mixed = (voice + draw(st.sampled_from([1e-3, 0.1, 1.0])) * rng.standard_normal(n)) * gap
    level = 10.0 ** draw(st.floats(-3, 0))
    samples: npt.NDArray[np.float32] = (level * mixed / max(1e-6, np.abs(mixed).max())).astype(np.float32)
    return samples


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(samples=random_audio())
def test_random_audio(samples: npt.NDArray[np.float32], librosa_features: Librosa) -> None:
    check(frame_features(samples), librosa_features(samples, FeatureConfig()), FeatureConfig())


@pytest.mark.corpora
@pytest.mark.parametrize("corpus", ["ravdess", "casia", "emodb", "tess", "nemo"])
def test_real_speech(corpus: str, librosa_features: Librosa) -> None:
    root = os.environ.get("EMOVOX_CORPORA")
    if not root:
        pytest.skip("EMOVOX_CORPORA is not set: no real recordings")
    if not (Path(root) / corpus).is_dir():
        pytest.skip(f"no folder '{corpus}' in EMOVOX_CORPORA")
    paths = audio_files(Path(root) / corpus)
    for path in paths[:: max(1, len(paths) // 5)]:
        samples = load_audio(path)[0][0]
        check(frame_features(samples), librosa_features(samples, FeatureConfig()), FeatureConfig())
