"""Pieces are made once; what an encoder computes from them is kept by what computes it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
import torch

from emovox.augment.config import Augment
from emovox.models.encoders import build_encoder
from emovox.models.frame_inputs import FrameInputsConfig
from emovox.models.speech_map import pooling_for
from emovox.schema.errors import AudioError, RecipeError
from emovox.testing import RATE, speech
from emovox.training import speech_material as module
from emovox.training import speech_sounds
from emovox.training.speech_material import encoder_values, recipe_material, speech_material
from emovox.training.speech_sounds import Sound
from tests.corpora.trees import clip
from tests.models.small import HYBRID, MOBILE
from tests.training.pieces import drawn_material

FRAMES = FrameInputsConfig(n_mels=16, f0=False)
CLIPS = [clip("own", number, "ann", "sad") for number in range(2)]


@pytest.fixture
def noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a noise; nothing is changed by rooms or programs."""
    folder = tmp_path / "noise"
    folder.mkdir()
    soundfile.write(folder / "n.wav", 0.1 * np.random.default_rng(0).normal(size=RATE), RATE)
    rain = Sound("rain/1", "rain", "water", is_speech=False, samples=speech(3000.0, seconds=1.0))
    voice = Sound("own/1", "own", "air", is_speech=True, samples=speech(150.0, seconds=1.0))
    monkeypatch.setattr(speech_sounds, "speech_sounds", lambda clips, **_: [voice] * bool(clips))
    monkeypatch.setattr(speech_sounds, "noise_sounds", lambda folder: [rain] * folder.is_dir())
    monkeypatch.setattr(speech_sounds, "made_sounds", lambda **_: [])
    monkeypatch.setattr(speech_sounds, "CHANGES", Augment())
    monkeypatch.setattr(speech_sounds, "MICROPHONES", Augment())
    monkeypatch.setattr(module, "SYNTHETIC", 1)
    return folder


def test_pieces_are_made_once_until_a_noise_changes(
    noise: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    first = speech_material(CLIPS, noise=noise, folder=tmp_path, progress=lambda done, _: heard.append(done))
    assert heard == [1, 2]
    assert {note.kind for note in first.notes} == {"own", "rain", "synthetic"}
    assert len(first.waves()) == len(first.notes)
    monkeypatch.setattr(module, "pieces", None)
    again = speech_material(CLIPS, noise=noise, folder=tmp_path)
    assert (list(again.notes), again.key) == (list(first.notes), first.key)
    (noise / "n.wav").write_bytes(b"")
    with pytest.raises(TypeError):  # it tries to make them
        speech_material(CLIPS, noise=noise, folder=tmp_path)


def test_what_is_missing_is_a_mistake_of_the_recipe(noise: Path, tmp_path: Path) -> None:
    def none(folder: Path) -> list[Sound]:
        raise AudioError("no nonspeech100")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speech_sounds, "noise_sounds", none)
        with pytest.raises(RecipeError, match="a sound is missing: no nonspeech100; or set speech = false"):
            recipe_material(CLIPS, folder=tmp_path, environ={"EMOVOX_NOISE": str(noise)})
    assert recipe_material(CLIPS, folder=tmp_path, environ={"EMOVOX_NOISE": str(noise)}).notes


@pytest.mark.parametrize("frames", [MOBILE.frames, FRAMES])
def test_frames_serve_all_weights_and_statistics_their_own(frames: FrameInputsConfig, tmp_path: Path) -> None:
    material = drawn_material(CLIPS, tmp_path)
    config = msgspec.structs.replace(MOBILE, frames=frames)
    torch.manual_seed(0)
    one, other = build_encoder(config), build_encoder(config)
    first, pooling = encoder_values(material, one, config)
    assert first.shape == (len(material.notes), one.n_statistics if pooling is None else pooling.width)
    np.testing.assert_array_equal(encoder_values(material, one, config)[0], first)
    assert len(list(tmp_path.iterdir())) == 1
    second, _ = encoder_values(material, other, config)
    assert np.array_equal(second, first) == (pooling is not None)
    if pooling is None:
        with torch.no_grad():
            wave = torch.from_numpy(material.waves()[-1].astype(np.float32) / 32767)[None]
            expected = one.pool(one.inputs(wave))
        np.testing.assert_allclose(first[-1], expected[0].numpy(), atol=1e-4)


def test_what_the_map_takes_follows_from_the_encoder() -> None:
    found = pooling_for(build_encoder(msgspec.structs.replace(HYBRID, frames=FRAMES)))
    assert found is not None
    assert (found.channels, found.mels, found.cepstra) == (16 + 39 + 1, 16, 13)
    for frames in (
        FrameInputsConfig(n_mels=18),
        FrameInputsConfig(mfcc=False),
        FrameInputsConfig(hop=402),
        MOBILE.frames,
    ):
        assert pooling_for(build_encoder(msgspec.structs.replace(MOBILE, frames=frames))) is None, frames
