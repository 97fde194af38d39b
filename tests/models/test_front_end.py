from __future__ import annotations

import librosa
import numpy as np
import numpy.typing as npt
import pytest
import torch

from emovox.audio.types import Samples
from emovox.features.config import FeatureConfig
from emovox.features.frames import frame_features
from emovox.models.front_end.frames import FrameFrontEnd, FrameTensors
from emovox.schema.errors import AudioError
from tests.sounds import edge_cases, gliding

Arrays = dict[str, npt.NDArray[np.floating]]

# Largest differences from librosa in float64. Measured here: 3e-4 dB and half of each other figure. The centroid is a
# quotient of sums over rounding noise where there is nothing but an offset.
TOLERANCES = {
    "mfcc": 2e-3,
    "delta": 2e-4,
    "delta2": 2e-4,
    "log_mel": 2e-3,
    "rms": 1e-6,
    "zcr": 1e-6,
    "centroid": 1.0,
    "rolloff": 1e-3,
}
SILENT_DB = -100.0
LENGTHS = (1280, 4800, 16000, 16159, 24007)


@pytest.fixture(scope="module")
def front_end() -> FrameFrontEnd:
    return FrameFrontEnd(FeatureConfig()).eval()


def run(front_end: FrameFrontEnd, samples: Samples) -> Arrays:
    """Features of one recording [n], without the batch axis."""
    frames = front_end(torch.from_numpy(samples)[None])
    return {name: value[0].numpy() for name, value in frames._asdict().items()}


def librosa_features(samples: Samples) -> Arrays:
    exact = samples.astype(np.float64)
    power = np.abs(librosa.stft(exact, n_fft=512, hop_length=160)) ** 2
    bands = librosa.power_to_db(librosa.feature.melspectrogram(S=power, sr=16000, n_mels=64))
    mfcc = librosa.feature.mfcc(S=bands, n_mfcc=13)
    return {
        "mfcc": mfcc.T,
        "delta": librosa.feature.delta(mfcc).T,
        "delta2": librosa.feature.delta(mfcc, order=2).T,
        "log_mel": bands.T,
        "rms": librosa.feature.rms(y=exact, frame_length=512, hop_length=160)[0],
        "zcr": librosa.feature.zero_crossing_rate(exact, frame_length=512, hop_length=160)[0],
        "centroid": librosa.feature.spectral_centroid(S=np.sqrt(power), sr=16000)[0],
        "rolloff": librosa.feature.spectral_rolloff(S=np.sqrt(power), sr=16000)[0],
    }


def assert_equal_to_librosa(found: Arrays, samples: Samples) -> None:
    for name, expected in librosa_features(samples).items():
        assert found[name].shape == expected.shape, name
        np.testing.assert_allclose(found[name], expected, rtol=0, atol=TOLERANCES[name], err_msg=name)


@pytest.mark.parametrize("n", LENGTHS)
def test_speech_gives_the_numbers_of_librosa(front_end: FrameFrontEnd, n: int) -> None:
    samples = gliding(n, seed=n % 7)
    assert_equal_to_librosa(run(front_end, samples), samples)


@pytest.mark.parametrize("name", ["zeros", "impulse", "offset", "square", "noise"])
def test_edge_cases_give_the_numbers_of_librosa(front_end: FrameFrontEnd, name: str) -> None:
    samples = edge_cases()[name]
    assert_equal_to_librosa(run(front_end, samples), samples)


@pytest.mark.parametrize("n", LENGTHS)
def test_speech_gives_the_numbers_of_the_compiled_features(front_end: FrameFrontEnd, n: int) -> None:
    samples = gliding(n, seed=3)
    found, expected = run(front_end, samples), frame_features(samples)
    for name, tolerance in TOLERANCES.items():
        np.testing.assert_allclose(found[name], getattr(expected, name), rtol=0, atol=tolerance, err_msg=name)


def test_silence_has_no_energy_no_pitch_and_no_nan(front_end: FrameFrontEnd) -> None:
    found = run(front_end, edge_cases()["zeros"])
    assert all(np.isfinite(value).all() for value in found.values())
    np.testing.assert_allclose(found["log_mel"], SILENT_DB, rtol=1e-6)
    for name in ("rms", "zcr", "centroid", "rolloff", "voiced"):
        assert np.abs(found[name]).max() < 1e-12, name


@pytest.mark.parametrize(
    "config",
    [
        FeatureConfig(n_fft=400, n_mels=40),
        FeatureConfig(n_fft=1024, hop=256, n_mels=80, n_mfcc=20, delta_width=5),
        FeatureConfig(hop=100, mel_fmin=100, mel_fmax=7000, rolloff=0.5, top_db=40),
    ],
)
def test_other_configurations_agree_with_the_compiled_features(config: FeatureConfig) -> None:
    samples = gliding(16000, seed=2)
    found, expected = run(FrameFrontEnd(config), samples), frame_features(samples, config)
    for name, tolerance in TOLERANCES.items():
        np.testing.assert_allclose(found[name], getattr(expected, name), rtol=0, atol=tolerance, err_msg=name)


def test_a_recording_scores_the_same_alone_and_in_a_batch(front_end: FrameFrontEnd) -> None:
    # the quiet one would lose its low bands if top_db were taken from the whole batch
    batch = np.stack([gliding(12345, seed=1), 1e-3 * gliding(12345, seed=2), edge_cases()["noise"].repeat(2)[:12345]])
    together = front_end(torch.from_numpy(batch))
    for row, samples in enumerate(batch):
        alone = run(front_end, samples)
        for name in TOLERANCES:
            found = getattr(together, name)[row].numpy()
            np.testing.assert_allclose(found, alone[name], rtol=1e-6, atol=TOLERANCES[name] / 2, err_msg=name)


def test_the_input_is_left_unchanged(front_end: FrameFrontEnd) -> None:
    samples = torch.from_numpy(gliding(8000))
    before = samples.clone()
    front_end(samples[None])
    assert torch.equal(samples, before)


def test_frames_have_the_documented_shapes(front_end: FrameFrontEnd) -> None:
    frames = front_end(torch.zeros(2, 4900))
    assert isinstance(frames, FrameTensors)
    shapes = {name: tuple(value.shape) for name, value in frames._asdict().items()}
    track, half = (2, 31), (2, 16)
    cepstra = dict.fromkeys(("mfcc", "delta", "delta2"), (*track, 13))
    scalars = dict.fromkeys(("rms", "zcr", "centroid", "rolloff"), track)
    assert shapes == cepstra | {"log_mel": (*track, 64)} | scalars | {"f0": half, "voiced": half}
    assert {value.dtype for value in frames} == {torch.float32}


def test_gradients_are_finite_also_at_silence(front_end: FrameFrontEnd) -> None:
    samples = torch.from_numpy(np.stack([gliding(8000), np.zeros(8000, np.float32)])).requires_grad_()
    frames = front_end(samples)
    # the logarithm is flat where it is floored, so the silent row has no gradient; speech has
    loss = frames.mfcc.mean() + frames.delta.square().mean() + frames.delta2.square().mean() + frames.log_mel.mean()
    (loss + frames.rms.mean() + frames.centroid.mean() / 1000 + frames.f0.mean() / 100).backward()
    assert samples.grad is not None
    assert torch.isfinite(samples.grad).all()
    assert samples.grad[0].abs().max() > 0


def test_it_adds_nothing_to_a_checkpoint(front_end: FrameFrontEnd) -> None:
    assert not front_end.state_dict()
    assert not list(front_end.parameters())


@pytest.mark.parametrize("shape", [(16000,), (1, 2, 16000), (1, 1279)])
def test_unusable_shapes_are_refused(front_end: FrameFrontEnd, shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match=r"expected \[batch, n\] with n >= 1280"):
        front_end(torch.zeros(shape))
