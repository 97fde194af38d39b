from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from emovox.features.config import FeatureConfig
from emovox.models.frame_inputs import FrameInputs, FrameInputsConfig
from emovox.models.front_end.frames import FrameFrontEnd
from emovox.schema.errors import ConfigError
from tests.sounds import edge_cases, gliding

# the same float32 numbers, moved and scaled
SAME = 1e-4


def voices(n: int = 32000) -> Tensor:
    return torch.from_numpy(np.stack([gliding(n, seed=seed) for seed in range(3)]))


def only(**kept: bool) -> FrameInputs:
    return FrameInputs(FrameInputsConfig(**{**dict.fromkeys(("log_mel", "mfcc", "f0", "level"), False), **kept}))


@pytest.mark.parametrize(("kept", "width"), [("log_mel", 64), ("mfcc", 39), ("f0", 2), ("level", 1)])
def test_each_feature_has_its_switch_and_its_place(kept: str, width: int) -> None:
    alone = only(**{kept: True})
    assert alone.n_channels == width
    start = {"log_mel": 0, "mfcc": 64, "f0": 103, "level": 105}[kept]
    fused = FrameInputs(FrameInputsConfig())
    assert fused.n_channels == 106
    torch.testing.assert_close(alone(voices()), fused(voices())[:, :, start : start + width])


def test_values_are_those_of_the_front_end() -> None:
    front = FrameFrontEnd(FeatureConfig())(voices())
    found = FrameInputs(FrameInputsConfig())(voices())
    torch.testing.assert_close(20 * found[:, :, :64] - 45, front.log_mel, atol=SAME, rtol=SAME)
    torch.testing.assert_close(160 * found[:, :, 64] - 360, front.mfcc[:, :, 0], atol=1e-3, rtol=SAME)
    torch.testing.assert_close(160 / 2.5 * found[:, :, 65], front.mfcc[:, :, 1], atol=1e-3, rtol=SAME)
    torch.testing.assert_close(16 * found[:, :, 77], front.delta[:, :, 0], atol=1e-3, rtol=SAME)
    torch.testing.assert_close(8 * found[:, :, 90], front.delta2[:, :, 0], atol=1e-3, rtol=SAME)


@pytest.mark.parametrize("n", [32000, 32159, 32160, 32320])
def test_height_and_voicing_stand_at_every_frame(n: int) -> None:
    samples = voices(n)
    front = FrameFrontEnd(FeatureConfig())(samples)
    height, voicing = only(f0=True)(samples).unbind(2)
    frames = torch.arange(1 + n // 160)
    assert torch.equal(voicing, front.voiced[:, frames // 2])
    half_octaves = 2 * torch.log2(front.f0 / 200) * front.voiced
    torch.testing.assert_close(height, half_octaves[:, frames // 2], atol=SAME, rtol=SAME)
    assert 0.1 < voicing.mean() < 1


def test_a_louder_clip_stays_louder_by_what_it_is() -> None:
    soft, loud = (FrameInputs(FrameInputsConfig())(gain * voices()) for gain in (1.0, 10.0))
    torch.testing.assert_close(loud[:, :, :64] - soft[:, :, :64], torch.ones_like(soft[:, :, :64]), atol=0.01, rtol=0)
    level = (loud - soft)[:, 40:60, 105]
    torch.testing.assert_close(level, torch.ones_like(level), atol=0.01, rtol=0)


def test_values_are_of_about_unit_size() -> None:
    values = FrameInputs(FrameInputsConfig())(voices())
    assert 0.3 < values[:, :, :64].std() < 1.5
    assert 0.3 < values[:, :, 64:].std() < 1.5
    for name, samples in edge_cases().items():
        extreme = FrameInputs(FrameInputsConfig())(torch.from_numpy(samples)[None])
        assert torch.isfinite(extreme).all(), name
        assert extreme.abs().max() < 20, name


def test_a_hop_twice_as_long_gives_half_the_frames() -> None:
    assert FrameInputs(FrameInputsConfig(hop=320))(voices(32000)).shape == (3, 101, 106)


def test_features_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match="got no frame feature"):
        FrameInputsConfig(log_mel=False, mfcc=False, f0=False, level=False)
    with pytest.raises(ConfigError, match="hop is 0, out of range"):
        FrameInputsConfig(hop=0)
    with pytest.raises(ConfigError, match="got a hop of 161 samples, expected an even number"):
        FrameInputsConfig(hop=161)
