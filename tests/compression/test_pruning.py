"""Pruning: which channels go, what stays equal, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from emovox.compression.pruned_run import pruned_recipe
from emovox.compression.pruning import pruned, pruned_config
from emovox.models.encoders import build_encoder
from emovox.models.frame_inputs import FrameInputsConfig
from emovox.models.functionals import FunctionalsConfig
from emovox.models.hybrid import HybridConfig, HybridEncoder
from emovox.models.mobile import MobileConfig, MobileEncoder
from emovox.schema.errors import CompressionError, RecipeError

FRAMES = FrameInputsConfig(log_mel=False, f0=False, level=False)
MOBILE = MobileConfig(frames=FRAMES, width=32, blocks=2, expansion=2, features=64, squeeze=4, attention=4)
HYBRID = HybridConfig(frames=FRAMES, width=48, blocks=2, recurrent_width=16, cells=8, attention=4)


def test_widths_are_multiples_of_sixteen() -> None:
    made = [pruned_config(MobileConfig(), keep) for keep in (0.8, 0.6, 0.4)]
    assert [(one.width, one.features) for one in made if isinstance(one, MobileConfig)] == [
        (48, 96),
        (32, 80),
        (32, 48),
    ]


@pytest.mark.parametrize("config", [MOBILE, HYBRID])
def test_a_pruned_encoder_has_fewer_weights_and_still_pools(config: MobileConfig | HybridConfig) -> None:
    encoder = build_encoder(config).eval()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    smaller = pruned(encoder, pruned_config(config, 0.5))
    frames = torch.randn(2, 50, encoder.n_inputs, generator=torch.Generator().manual_seed(0))
    assert smaller.pool(frames).shape == (2, smaller.n_statistics)
    assert sum(p.numel() for p in smaller.parameters()) < sum(p.numel() for p in encoder.parameters())
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_channels_without_weight_go_first_and_nothing_else_changes() -> None:
    encoder = build_encoder(MOBILE).eval()
    assert isinstance(encoder, MobileEncoder)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
        encoder.last.conv.weight[1::4] = 0  # these 16 of 64 features are 0 for any clip
        encoder.last.norm.weight[1::4] = 0
        encoder.last.norm.bias[1::4] = 0
        encoder.pooling.hidden.weight[:, 1::4] = 0
    config = pruned_config(MOBILE, 0.75)
    assert isinstance(config, MobileConfig)
    assert (config.width, config.features) == (32, 48)  # 24 is half-way: the even multiple is taken
    smaller = pruned(encoder, config)
    frames = torch.randn(1, 50, encoder.n_inputs, generator=torch.Generator().manual_seed(1))
    kept = [feature for feature in range(64) if feature % 4 != 1]
    with torch.no_grad():
        expected = encoder.pool(frames).reshape(2, 64)[:, kept].flatten()
        torch.testing.assert_close(smaller.pool(frames)[0], expected, rtol=1e-4, atol=1e-4)


def test_the_lstm_stays_whole() -> None:
    encoder = build_encoder(HYBRID).eval()
    smaller = pruned(encoder, pruned_config(HYBRID, 0.5))
    assert isinstance(encoder, HybridEncoder)
    assert isinstance(smaller, HybridEncoder)
    for name, value in encoder.recurrent.state_dict().items():
        assert torch.equal(value, smaller.recurrent.state_dict()[name])


@pytest.mark.parametrize("keep", [0.0, 1.0, 1.5, -1.0, float("nan")])
def test_a_share_out_of_range_is_refused(keep: float) -> None:
    with pytest.raises(CompressionError, match="expected more than 0 and less than 1"):
        pruned_config(MobileConfig(), keep)


def test_what_cannot_be_pruned_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompressionError, match="'functionals' has no layers to prune, expected mobile or hybrid"):
        pruned_config(FunctionalsConfig(), 0.5)
    with pytest.raises(CompressionError, match=r"stay .* expected a smaller keep"):
        pruned_config(MobileConfig(), 0.99)
    with pytest.raises(RecipeError, match="not the folder of a run"):
        pruned_recipe(tmp_path, 0.5)
    (tmp_path / "recipe.json").write_text('{"kind": "svm"}')
    with pytest.raises(CompressionError, match="no layers to prune"):
        pruned_recipe(tmp_path, 0.5)
