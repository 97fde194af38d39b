from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from emovox.features.config import FeatureConfig
from emovox.features.frames import columns, frame_features
from emovox.features.mfcc import log_mel, mfcc
from emovox.features.pitch import yin
from emovox.features.signal import mono
from emovox.features.spectrum import power_spectrum
from emovox.features.speech_like import speech_like
from emovox.schema.errors import ChannelError, ConfigError, EmptyAudioError, NonFiniteError

Array = npt.NDArray[np.float32]

FROM_SAMPLES: list[Callable[[Array], object]] = [frame_features, mfcc, log_mel, yin, power_spectrum]


def test_every_feature_has_a_row_for_each_frame(sound: Array) -> None:
    features = frame_features(sound)
    matrix = features.to_matrix()
    assert len(features) == 1 + sound.size // 160
    assert matrix.shape == (len(features), len(columns()))
    assert matrix.dtype == np.float32
    assert np.isfinite(matrix).all()


def test_the_input_is_not_modified_and_the_result_is_the_same_again(sound: Array) -> None:
    before = sound.copy()  # the fixture is read-only: writing would raise
    first, second = frame_features(sound).to_matrix(), frame_features(sound).to_matrix()
    np.testing.assert_array_equal(sound, before)
    np.testing.assert_array_equal(first, second)


def test_float64_and_strided_input_give_the_same() -> None:
    samples = speech_like(0.5)
    strided = np.repeat(samples, 2)[::2]
    expected = frame_features(samples).to_matrix()
    np.testing.assert_array_equal(frame_features(samples.astype(np.float64)).to_matrix(), expected)
    np.testing.assert_array_equal(frame_features(strided).to_matrix(), expected)


def test_columns_name_the_columns_in_order() -> None:
    config = FeatureConfig(n_mels=20, n_mfcc=5)
    samples = speech_like(0.3)
    features, names = frame_features(samples, config), columns(config)
    matrix = features.to_matrix()
    assert len(set(names)) == matrix.shape[1]
    for name, expected in [
        ("mfcc_4", features.mfcc[:, 4]),
        ("delta_0", features.delta[:, 0]),
        ("delta2_1", features.delta2[:, 1]),
        ("log_mel_19", features.log_mel[:, 19]),
        ("f0", features.f0),
        ("voiced", features.voiced),
        ("rolloff", features.rolloff),
    ]:
        np.testing.assert_array_equal(matrix[:, names.index(name)], expected)


def test_frames_do_not_depend_on_what_lies_far_away() -> None:
    samples = speech_like(1.0)
    changed = samples.copy()
    changed[12000:] = 0.1
    config = FeatureConfig(top_db=300)  # otherwise the loudest moment sets the floor of all
    first, second = frame_features(samples, config).to_matrix(), frame_features(changed, config).to_matrix()
    np.testing.assert_array_equal(first[:60], second[:60])
    assert not np.array_equal(first[80:], second[80:])


@pytest.mark.parametrize("compute", FROM_SAMPLES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_an_error(compute: Callable[[Array], object], value: float) -> None:
    samples = np.zeros(1000, np.float32)
    samples[321] = value
    with pytest.raises(NonFiniteError, match=r"sample 321 is (nan|-?inf), expected finite numbers"):
        compute(samples)


@pytest.mark.parametrize("compute", FROM_SAMPLES)
def test_other_bad_audio_is_an_error(compute: Callable[[Array], object]) -> None:
    with pytest.raises(EmptyAudioError, match="got 0 samples, expected at least 1"):
        compute(np.zeros(0, np.float32))
    with pytest.raises(ChannelError, match=r"shape \(2, 100\), expected \[n\]; mix the channels"):
        compute(np.zeros((2, 100), np.float32))


@pytest.mark.filterwarnings("ignore:overflow")
def test_huge_finite_samples_beyond_float32_are_an_error() -> None:
    with pytest.raises(NonFiniteError, match="sample 1 is inf"):
        mono(np.array([0.0, 1e300]))


def test_an_odd_frame_length_is_an_error() -> None:
    with pytest.raises(ConfigError, match="got frames of 511 samples every 160, expected an even length"):
        power_spectrum(np.zeros(1000, np.float32), n_fft=511)
