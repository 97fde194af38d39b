"""An encoder from the first blocks of Whisper: the lower ones frozen, the upper ones learn, pooled over time."""

from __future__ import annotations

from typing import Literal

import msgspec
import torch
from torch import Tensor, nn

from emovox.models.network import Encoder
from emovox.models.pooling import AttentiveStatistics, mean_deviation
from emovox.models.weights import fingerprint
from emovox.models.whisper import WhisperBlocks, WhisperLogMel, load_whisper
from emovox.schema.errors import ConfigError

VIEWS = ("output", "hidden")
"""Values of a block that can be pooled, in the order of the statistics."""


class WhisperConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="name", tag="whisper"
):
    """Choice of the blocks and of their pooling.

    Attributes:
        weights: a folder, a folder below $EMOVOX_WEIGHTS, or a name on the hub.
        blocks: number of blocks, >= 1.
        frozen: number of the first blocks that do not learn, 0 to `blocks`.
        views: pooled values of each block: mean and deviation of its "output", and the mean of the "hidden" activations
            of its feed-forward network, four times as wide. A frozen block has the latter only if all are frozen.
        attention: hidden units, >= 0. Above 0, a learnt mixture of all outputs is pooled attentively, too.

    Raises:
        ConfigError: a number is out of range, or nothing is pooled.
    """

    weights: str = "openai/whisper-base"
    blocks: int = 3
    frozen: int = 3
    views: tuple[Literal["output", "hidden"], ...] = ("output",)
    attention: int = 0

    def __post_init__(self) -> None:
        """Raise an error for numbers and views that define no encoder."""
        if not 0 <= self.frozen <= self.blocks or self.blocks < 1:
            got = f"frozen = {self.frozen} and blocks = {self.blocks}"
            raise ConfigError(f"whisper: got {got}, expected blocks >= 1 and frozen from 0 to blocks")
        if not self.views and not self.attention:
            raise ConfigError("whisper: got neither views nor attention, expected something that is pooled")
        if self.attention < 0:
            raise ConfigError(f"whisper: got attention = {self.attention}, expected 0 or more")

    @property
    def is_fixed(self) -> bool:
        """Return whether nothing learns; the statistics are then cached on disk."""
        return self.frozen == self.blocks and not self.attention


class WhisperEncoder(Encoder):
    """Encoder of log-mel, frozen blocks, blocks that learn, and pooling over time.

    Args:
        config: choice of the blocks.
        whisper: the blocks; None loads them from `config.weights`.

    Shape:
        - Input: samples [b, n] at 16 kHz, up to 30 s.
        - Output: [b, n_statistics].
    """

    def __init__(self, config: WhisperConfig, whisper: WhisperBlocks | None = None) -> None:
        super().__init__()
        self.config = config
        self.front_end = WhisperLogMel()
        self.whisper = load_whisper(config.weights, config.blocks) if whisper is None else whisper
        self.width = self.whisper.conv2.out_channels
        for module in (self.whisper.conv1, self.whisper.conv2, *self.whisper.layers[: config.frozen]):
            module.requires_grad_(False)
        self.mixture = Mixture(config.blocks, self.width, config.attention) if config.attention else None
        n_outputs = config.blocks * ("output" in config.views) + bool(config.attention)
        n_hidden = ("hidden" in config.views) * (config.blocks if config.is_fixed else config.blocks - config.frozen)
        self.n_statistics = 2 * self.width * n_outputs + self.whisper.wide * n_hidden
        fixed = config.blocks * (2 * self.width + self.whisper.wide)
        self.n_inputs = fixed if config.is_fixed else max(1, config.frozen) * self.width

    @property
    def inputs_key(self) -> str:
        """Key of the frozen weights, and of what is kept of their outputs."""
        stem, blocks = [self.whisper.conv1, self.whisper.conv2], self.whisper.layers[: self.config.frozen]
        frozen = self.whisper if self.config.is_fixed else nn.ModuleList([*stem, *blocks])
        return f"whisper {fingerprint(frozen)} frozen {self.config.frozen} fixed {self.config.is_fixed}"

    def inputs(self, samples: Tensor) -> Tensor:
        """Return the outputs of the frozen blocks, concatenated, for samples [b, n].

        Returns:
            Shape [b, t, c]. If all blocks are frozen, every view of them, shape [b, 1, c]: the cache then holds all
            views, so that a recipe with other views costs nothing.
        """
        outputs, hidden = self._blocks([self.whisper.stem(self.front_end(samples))], 0, self.config.frozen, None)
        if self.config.is_fixed:
            return torch.cat([*(mean_deviation(frames) for frames in outputs), *hidden], dim=1)[:, None]
        return torch.cat(outputs, dim=2)

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the statistics of inputs [b, t, c], shape [b, p]."""
        if self.config.is_fixed:
            border = self.config.blocks * 2 * self.width
            views = {"output": inputs[:, 0, :border], "hidden": inputs[:, 0, border:]}
            return torch.cat([views[name] for name in VIEWS if name in self.config.views], dim=1)
        outputs = list(torch.split(inputs, self.width, dim=2))
        return self._statistics(*self._blocks(outputs, self.config.frozen, self.config.blocks, mask), mask)

    def trim(self) -> None:
        """Remove what no view uses after training: the second half of the last block."""
        if self.config.views == ("hidden",) and not self.config.attention:
            self.whisper.block(self.config.blocks - 1).fc2 = nn.Identity()

    def forward(self, samples: Tensor) -> Tensor:
        """Return the statistics of samples [b, n], shape [b, p], without what no view uses."""
        frames = self.whisper.stem(self.front_end(samples))
        outputs, hidden = self._blocks([frames], 0, self.config.blocks, None)
        if not self.config.is_fixed:
            hidden = hidden[self.config.frozen :]
        return self._statistics(outputs, hidden, None)

    def depths(self) -> list[list[nn.Parameter]]:
        """Return the parameters of the stem, of each block, and of the attention."""
        parts: list[list[nn.Module]] = [[self.whisper.conv1, self.whisper.conv2], *([b] for b in self.whisper.layers)]
        parts += [[self.mixture]] if self.mixture is not None else []
        return [[p for module in part for p in module.parameters() if p.requires_grad] for part in parts]

    def _blocks(
        self, outputs: list[Tensor], first: int, last: int, mask: Tensor | None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Run blocks [first, last) on the last of `outputs`; the output of the stem is not that of a block.

        Returns:
            The outputs [b, t, d] of all blocks so far, and the mean hidden activations [b, 4 d] of the blocks run here.
        """
        means: list[Tensor] = []
        frames, found = outputs[-1], outputs[:first]
        for index in range(first, last):
            block = self.whisper.block(index)
            frames = block.attend(frames, mask)
            hidden = block.expand(frames)
            if isinstance(block.fc2, nn.Linear):  # else the second half was removed
                frames = frames + block.fc2(hidden)
            found, means = [*found, frames], [*means, masked_mean(hidden, mask)]
        return found or outputs, means

    def _statistics(self, outputs: list[Tensor], hidden: list[Tensor], mask: Tensor | None) -> Tensor:
        parts = [mean_deviation(frames, mask) for frames in outputs] if "output" in self.config.views else []
        parts += hidden if "hidden" in self.config.views else []
        if self.mixture is not None:
            parts.append(self.mixture(outputs, mask))
        return torch.cat(parts, dim=1)


class Mixture(nn.Module):
    """Sum of the outputs of all blocks with learnt weights, pooled attentively.

    Args:
        blocks: number of blocks.
        width: channels d.
        hidden: hidden units of the attention.

    Shape:
        - Input: outputs, each [b, t, d]; mask [b, t].
        - Output: [b, 2 d].
    """

    def __init__(self, blocks: int, width: int, hidden: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(blocks))
        self.pooling = AttentiveStatistics(width, hidden, heads=8)

    def forward(self, outputs: list[Tensor], mask: Tensor | None = None) -> Tensor:
        """Return the statistics of the mixture."""
        shares = self.weights.softmax(0)
        mixed = torch.stack([share * frames for share, frames in zip(shares, outputs, strict=True)]).sum(0)
        statistics: Tensor = self.pooling(mixed, mask)
        return statistics


def masked_mean(frames: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean of frames [b, t, c] without padding, shape [b, c]."""
    if mask is None:
        return frames.mean(1)
    return (frames * (mask / mask.sum(1, keepdim=True))[:, :, None]).sum(1)
