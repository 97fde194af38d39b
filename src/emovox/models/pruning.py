"""Remove whole channels from an encoder: which ones by their weights, how many by a share and a multiple."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

import msgspec
import torch
from torch import Tensor, nn

from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.head import Head
from emovox.models.hybrid import HybridConfig
from emovox.models.mobile import MobileConfig
from emovox.models.network import Network
from emovox.schema.errors import ConfigError
from emovox.schema.extras import require

Criterion = Literal["l2", "l1", "random"]

CHANNELS: dict[type, tuple[str, ...]] = {
    MobileConfig: ("width", "inner", "squeeze", "features", "attention"),
    HybridConfig: ("width", "recurrent_width", "attention"),
}
"""The sizes of an encoder that are numbers of channels, by the type of its configuration. The cells of an LSTM stay."""

FRAMES = 64
"""Length of the input that the network is traced with; any length gives the same graph."""


def prunable(config: EncoderConfig) -> bool:
    """Return whether an encoder has layers to prune.

    >>> prunable(MobileConfig())
    True
    """
    return type(config) in CHANNELS


def pruned_config(config: EncoderConfig, *, keep: float, multiple: int) -> EncoderConfig:
    """Return the sizes of an encoder after pruning, which name its widths: the same share of each layer.

    Args:
        config: sizes before.
        keep: share of the channels that stay, in (0, 1]; 1 changes nothing.
        multiple: numbers of channels are rounded down to a multiple of it, as processors compute channels in blocks;
            but a layer keeps this number at least, or all that it has.

    Raises:
        ConfigError: the encoder has no layers to prune.

    >>> found = pruned_config(MobileConfig(), keep=0.8, multiple=16)
    >>> found.width, found.inner, found.squeeze, found.features, found.attention
    (48, 144, 16, 96, 16)
    """
    if not prunable(config):
        raise ConfigError(
            f"got the encoder '{config.__struct_config__.tag}', which has no layers to prune, expected one of "
            f"{', '.join(str(kind.__struct_config__.tag) for kind in CHANNELS)}; leave pruning out"  # type: ignore[attr-defined]
        )
    if keep == 1:
        return config
    sizes = {name: getattr(config, name) for name in CHANNELS[type(config)]}
    if isinstance(config, MobileConfig):
        sizes["inner"] = config.inner or config.width * config.expansion
    kept = {name: min(size, max(multiple, int(keep * size) // multiple * multiple)) for name, size in sizes.items()}
    return msgspec.structs.replace(config, **kept)


def prune(network: Network, config: EncoderConfig, *, criterion: Criterion = "l2", seed: int = 0) -> Network:
    """Return a network with fewer channels: those with the greatest weights, which keep their values.

    Channels that are added or multiplied (residual blocks, depthwise convolutions, attention) go together, by the
    dependency graph of Torch-Pruning. The importance of a channel is the sum of the squares of its weights, averaged
    over the layers of such a group.

    Args:
        network: encoder and head; unchanged.
        config: sizes of the encoder afterwards (`pruned_config`).
        criterion: "l2" as above, "l1" sums absolute values, "random" draws the channels.
        seed: of the draw.

    Returns:
        A network in eval mode. Its head keeps its hidden units.

    Raises:
        MissingExtraError: Torch-Pruning is not installed.

    Reference:
        Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023.
    """
    require("torch_pruning", need="pruning", extra="train")
    old = deepcopy(network).cpu().eval()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():  # the graph is that of the gradients
        torch.manual_seed(seed)
        encoder = build_encoder(config)
        head = Head(encoder.n_statistics, old.head.classify.out_features, old.head.config)
        _remove(old, dict(encoder.named_modules()), criterion)
    new = Network(encoder, head)
    new.load_state_dict(old.state_dict())  # shapes that differ are an error
    return new.eval()


def _remove(network: Network, wanted: dict[str, nn.Module], criterion: Criterion) -> None:
    """Remove channels in place until each convolution of the encoder has as many as its namesake in `wanted`."""
    import torch_pruning

    ratios = {
        module: 1 - (wanted[name].out_channels + 0.5) / module.out_channels  # type: ignore[operator]  # half: rounding
        for name, module in network.encoder.named_modules()
        if isinstance(module, nn.Conv1d | nn.Conv2d) and name in wanted
        if wanted[name].out_channels != module.out_channels
    }
    kept = [module for module in network.modules() if isinstance(module, nn.LSTM)]
    kept_outputs = [module for module in network.head.modules() if isinstance(module, nn.Linear)]
    torch_pruning.pruner.BasePruner(
        _Traced(network),
        torch.zeros(2, FRAMES, network.encoder.n_inputs),
        importance=_importance(criterion),
        pruning_ratio=0.0,
        pruning_ratio_dict=ratios,
        ignored_layers=[*kept, *kept_outputs],
    ).step()


def _importance(criterion: Criterion) -> Any:
    import torch_pruning

    if criterion == "random":
        return torch_pruning.importance.RandomImportance()
    return torch_pruning.importance.GroupMagnitudeImportance(p=2 if criterion == "l2" else 1)


class _Traced(nn.Module):
    """A network from frames without padding to logits: Torch-Pruning follows one tensor."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute the logits [b, classes] of inputs [b, t, c]."""
        logits: Tensor = self.network(inputs)["logits"]
        return logits
