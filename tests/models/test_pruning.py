"""Pruning: whole channels go, by their weights; what is left is an ordinary encoder of the smaller sizes."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
import torch
from torch import Tensor, nn

from emovox.models.cost import multiply_adds
from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.hybrid import HybridConfig
from emovox.models.mobile import MobileConfig
from emovox.models.network import Network
from emovox.models.pruning import Criterion, prunable, prune, pruned_config
from emovox.models.whisper_encoder import WhisperConfig
from emovox.schema.errors import ConfigError
from tests.models.small import HYBRID, MOBILE, small_network


@pytest.mark.parametrize("config", [MOBILE, HYBRID], ids=["mobile", "hybrid"])
@pytest.mark.parametrize("criterion", get_args(Criterion))
def test_the_smaller_network_has_the_widths_that_its_configuration_names(
    config: EncoderConfig, criterion: Criterion
) -> None:
    network = small_network(config)
    smaller = pruned_config(config, keep=0.5, multiple=2)
    pruned = prune(network, smaller, criterion=criterion)
    expected = {name: value.shape for name, value in build_encoder(smaller).state_dict().items()}
    assert {name: value.shape for name, value in pruned.encoder.state_dict().items()} == expected
    frames = torch.randn(2, 40, network.encoder.n_inputs)
    mask = torch.arange(40) < torch.tensor([[40], [25]])
    found = pruned(frames, mask)
    assert found["logits"].shape == (2, 3)
    alone = pruned(frames[1:, :25])
    torch.testing.assert_close(found["logits"][1:], alone["logits"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("config", [MOBILE, HYBRID], ids=["mobile", "hybrid"])
def test_channels_without_weight_go_and_the_scores_stay(config: EncoderConfig) -> None:
    network = small_network(config)
    silence(network, config)
    kept = affine(network).weight.abs().sum(0) > 0
    smaller, frames = pruned_config(config, keep=0.5, multiple=1), torch.randn(3, 50, network.encoder.n_inputs)
    with torch.no_grad():
        before = network(frames)
        after, drawn = (prune(network, smaller, criterion=name)(frames) for name in ("l2", "random"))
    torch.testing.assert_close(after["logits"], before["logits"], rtol=1e-5, atol=1e-5)
    expected = before["statistics"][:, kept]
    torch.testing.assert_close(after["statistics"], expected, rtol=1e-5, atol=1e-5)
    assert (drawn["statistics"] - expected).abs().max() > 1e-3  # these channels are not any ones


def affine(network: Network) -> nn.Linear:
    (found,) = (module for module in network.head.hidden if isinstance(module, nn.Linear))
    return found


@torch.no_grad()
def silence(network: Network, config: EncoderConfig) -> None:
    """Set every second output channel of the prunable layers to zero, and the weights of the layers that read it."""
    smaller = dict(build_encoder(pruned_config(config, keep=0.5, multiple=1)).named_modules())
    for name, module in network.encoder.named_modules():
        other = smaller.get(name)
        if isinstance(module, nn.Conv1d | nn.Conv2d) and isinstance(other, nn.Conv1d | nn.Conv2d):
            if other.out_channels < module.out_channels:
                halve(module.weight, module.bias)
            if module.groups == 1 and other.in_channels < module.in_channels:
                module.weight[:, ::2] = 0
        if isinstance(module, nn.BatchNorm2d):
            halve(module.weight, module.bias, module.running_mean)
        if isinstance(module, nn.LSTM):
            for weight in (module.get_parameter("weight_ih_l0"), module.get_parameter("weight_ih_l0_reverse")):
                weight[:, ::2] = 0
    width = config.features if isinstance(config, MobileConfig) else HYBRID.width
    affine(network).weight[:, : 2 * width : 2] = 0


def halve(*vectors: Tensor | None) -> None:
    for vector in vectors:
        if vector is not None:
            vector[::2] = 0


def test_pruning_leaves_the_network_it_is_given_and_the_caller_s_randomness() -> None:
    network = small_network(MOBILE)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    smaller = pruned_config(MOBILE, keep=0.5, multiple=1)
    first, second = (prune(network, smaller, criterion="random", seed=1) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
    torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=0, atol=0)


def test_all_channels_stay_at_1() -> None:
    network = small_network(MOBILE)
    same = prune(network, pruned_config(MOBILE, keep=1.0, multiple=16))
    torch.testing.assert_close(same.state_dict(), network.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("keep", "sizes"), [(0.8, (48, 144, 16, 96, 16)), (0.6, (32, 112, 16, 64, 16)), (0.4, (16, 64, 16, 48, 16))]
)
def test_sizes_are_rounded_down_to_the_multiple_but_none_below_it(keep: float, sizes: tuple[int, ...]) -> None:
    found = pruned_config(MobileConfig(), keep=keep, multiple=16)
    assert isinstance(found, MobileConfig)
    assert (found.width, found.inner, found.squeeze, found.features, found.attention) == sizes


def test_the_lstm_keeps_its_cells() -> None:
    found = pruned_config(HybridConfig(), keep=0.8, multiple=16)
    assert found == msgspec.structs.replace(HybridConfig(), width=96, recurrent_width=64, attention=48)


def test_an_encoder_without_layers_to_prune_is_refused() -> None:
    frozen = WhisperConfig(blocks=1, frozen=1)
    assert not prunable(frozen)
    with pytest.raises(ConfigError, match="got the encoder 'whisper', which has no layers to prune, expected one of"):
        pruned_config(frozen, keep=0.8, multiple=16)


def test_fewer_channels_multiply_less_and_the_front_end_as_before() -> None:
    sizes = [multiply_adds(build_encoder(pruned_config(HYBRID, keep=keep, multiple=1))) for keep in (1.0, 0.5)]
    assert sizes[0][0] == sizes[1][0] > 0
    assert sizes[0][1] > sizes[1][1] > 0


def test_the_products_of_an_lstm_are_counted() -> None:
    frames = 76  # 301 frames of the front end, every fourth
    wide = msgspec.structs.replace(HYBRID, cells=HYBRID.cells + 1)
    more = multiply_adds(build_encoder(wide))[1] - multiply_adds(build_encoder(HYBRID))[1]
    gates = [8 * cells * (HYBRID.recurrent_width + cells) for cells in (HYBRID.cells, wide.cells)]
    assert more >= frames * (gates[1] - gates[0])
