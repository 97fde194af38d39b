"""Channel pruning: whole channels with the smallest weights are removed, with all that depends on them.

Criterion: the L2 norm of a channel's weights, averaged over all layers of its group, which Torch-Pruning's dependency
graph finds (Fang et al., "DepGraph: Towards Any Structural Pruning", 2023). Every width becomes a multiple of 16, the
block of channels of ONNX Runtime's convolutions: unrounded widths gain no time. The LSTM stays whole.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import msgspec
import torch
import torch_pruning
from torch import Tensor, nn

from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.hybrid import HybridConfig, HybridEncoder
from emovox.models.mobile import MobileConfig, MobileEncoder
from emovox.models.network import Encoder
from emovox.schema.errors import CompressionError

MULTIPLE = 16
"""Channels of a block."""

FRAMES = 40
"""Frames of the example from which the dependencies are traced."""

Prunable = MobileConfig | HybridConfig


def pruned_config(config: EncoderConfig, keep: float, *, multiple: int = MULTIPLE) -> Prunable:
    """Return the sizes of an encoder after pruning.

    Args:
        config: of the encoder.
        keep: share of the channels that stay, above 0 and below 1.
        multiple: of which every width is one, at least one of them.

    Raises:
        CompressionError: `keep` is out of range, the encoder has no layers to prune, or none of them would change.

    >>> made = pruned_config(MobileConfig(), 0.8)
    >>> made.width, made.features
    (48, 96)
    """
    if not 0 < keep < 1:
        raise CompressionError(
            f"keep is {keep:g}, expected more than 0 and less than 1; 0.8 keeps 80 % of the channels"
        )
    if not isinstance(config, MobileConfig | HybridConfig):
        name = config.__struct_config__.tag
        raise CompressionError(f"the encoder '{name}' has no layers to prune, expected mobile or hybrid")
    names = ("width", "features") if isinstance(config, MobileConfig) else ("width",)
    sizes = {name: getattr(config, name) for name in names}
    fewer = {name: min(size, max(multiple, multiple * round(keep * size / multiple))) for name, size in sizes.items()}
    if fewer == sizes:
        raise CompressionError(
            f"keep is {keep:g}, but widths in multiples of {multiple} stay {sizes}; expected a smaller keep"
        )
    return msgspec.structs.replace(config, **fewer)


def pruned(encoder: Encoder, config: Prunable) -> Encoder:
    """Return a copy of an encoder with fewer channels.

    Args:
        encoder: of the same kind; it is not changed.
        config: sizes from `pruned_config`.
    """
    whole = copy.deepcopy(encoder).eval()
    importance = torch_pruning.importance.GroupMagnitudeImportance(p=2)
    for layer, size in _roots(whole, config):
        graph = torch_pruning.DependencyGraph().build_dependency(
            _Pool(whole), example_inputs=torch.zeros(1, whole.n_inputs, 1, FRAMES)
        )
        out = torch_pruning.prune_conv_out_channels
        group = graph.get_pruning_group(layer, out, idxs=list(range(layer.out_channels)))
        drop = importance(group).argsort()[: layer.out_channels - size].tolist()
        if drop:
            graph.get_pruning_group(layer, out, idxs=drop).prune()
    smaller = build_encoder(config).eval()
    smaller.load_state_dict(whole.state_dict())
    return smaller


class _Pool(nn.Module):
    """The part of an encoder whose channels are pruned, from frames [b, c, 1, t]; of `hybrid` the convolutions."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, frames: Tensor) -> Tensor:
        """Return the statistics."""
        if isinstance(self.encoder, HybridEncoder):
            local: Tensor = self.encoder.local(frames, None)
            return local
        return self.encoder.pool(frames.squeeze(2).transpose(1, 2))


def _roots(encoder: Encoder, config: Prunable) -> Iterator[tuple[nn.Conv2d, int]]:
    """Yield a layer of each group of channels, with the number that stays."""
    if isinstance(encoder, MobileEncoder) and isinstance(config, MobileConfig):
        yield encoder.stem.conv, config.width
        yield encoder.blocks[config.blocks // 2].narrow.conv, config.width  # type: ignore[union-attr,misc]
        for block in encoder.blocks:
            yield block.widen.conv, config.width * config.expansion  # type: ignore[union-attr,misc]
        yield encoder.last.conv, config.features
    elif isinstance(encoder, HybridEncoder) and isinstance(config, HybridConfig):
        yield encoder.local.stem.conv, config.width
        for block in encoder.local.blocks:
            yield block.first.conv, config.width  # type: ignore[union-attr,misc]
    else:
        raise CompressionError(f"got {type(encoder).__name__} and {type(config).__name__}, expected one kind")
