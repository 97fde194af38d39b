"""The light network: depthwise-separable convolutions over time, with the bands as channels."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from emovox.models.frame_inputs import FrameInputs, FrameInputsConfig
from emovox.models.masked import ConvNorm, SqueezeExcite, clip_mask, strided, trainable
from emovox.models.network import Encoder
from emovox.models.pooling import AttentiveStatistics
from emovox.models.sizes import check_sizes


class MobileConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="name", tag="mobile"
):
    """Sizes; with a head of 128 and nine classes the defaults have 0.28 M parameters.

    For 3 s from the waveform to probabilities they take 1.5 ms in ONNX Runtime on one core, 2.7 ms with F0.

    `width` channels run through the blocks, `expansion` times as many inside one; `squeeze` are the hidden units of its
    squeeze-and-excitation, `kernel` its frames. The stem keeps every second frame, and so does the block in the middle:
    frames come every 20, then 40 ms at the default hop. `features` channels are pooled, weighted by `attention` hidden
    units.

    Raises:
        ConfigError: a size below 1, or an even kernel.
    """

    frames: FrameInputsConfig = FrameInputsConfig(f0=False)
    width: int = 64
    blocks: int = 6
    expansion: int = 3
    kernel: int = 5
    squeeze: int = 16
    features: int = 128
    attention: int = 32

    def __post_init__(self) -> None:
        """Reject sizes that make no network."""
        check_sizes(self)


class InvertedResidual(nn.Module):
    """Widen, convolve every channel over time, weigh the channels, narrow; added to its input where the rate stays.

    Args:
        config: sizes.
        stride: 2 keeps every second frame.

    Shape:
        - Input: frames [b, width, 1, t], own [b, 1, 1, t].
        - Output: frames [b, width, 1, (t - 1) // stride + 1], and what of them is own.

    Reference:
        Howard et al., "Searching for MobileNetV3", 2019, figure 4.
    """

    def __init__(self, config: MobileConfig, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        wide = config.width * config.expansion
        self.widen = ConvNorm(config.width, wide)
        self.depthwise = ConvNorm(wide, wide, config.kernel, stride=stride, groups=wide)
        self.weigh = SqueezeExcite(wide, config.squeeze)
        self.narrow = ConvNorm(wide, config.width)

    def forward(self, frames: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Compute one block."""
        wide = torch.relu(self.depthwise(torch.relu(self.widen(frames, mask)), mask))
        mask = strided(mask, self.stride)
        narrow: Tensor = self.narrow(self.weigh(wide, mask), mask)
        return (narrow if self.stride > 1 else frames + narrow), mask


class MobileEncoder(Encoder):
    """Frame features → stem → inverted residuals → attentive statistics.

    Once training is over, a clip alone and in a padded batch gives the same statistics. While it learns, batch
    normalisation uses the own frames of all clips in the batch: the other clips change a clip's statistics, padding
    does not.

    Args:
        config: sizes.

    Shape:
        - Input: samples [b, n] at 16 kHz.
        - Output: [b, 2 features].
    """

    def __init__(self, config: MobileConfig) -> None:
        super().__init__()
        self.front_end = FrameInputs(config.frames)
        self.n_inputs, self.n_statistics = self.front_end.n_channels, 2 * config.features
        self.stem = ConvNorm(self.n_inputs, config.width, 5, stride=2)
        middle = config.blocks // 2
        self.blocks = nn.ModuleList(InvertedResidual(config, 2 if i == middle else 1) for i in range(config.blocks))
        self.last = ConvNorm(config.width, config.features)
        self.pooling = AttentiveStatistics(config.features, config.attention)

    @property
    def inputs_key(self) -> str:
        """Name the frame features."""
        return self.front_end.key

    def inputs(self, samples: Tensor) -> Tensor:
        """[b, n] → frame features [b, t, c]."""
        frames: Tensor = self.front_end(samples)
        return frames

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """[b, t, c] → [b, 2 features]."""
        mask = clip_mask(mask, inputs.dtype)
        frames = torch.relu(self.stem(inputs.transpose(1, 2)[:, :, None], mask))
        mask = strided(mask, self.stem.stride)
        for block in self.blocks:
            frames, mask = block(frames, mask)
        frames = torch.relu(self.last(frames, mask)).flatten(2).transpose(1, 2)
        statistics: Tensor = self.pooling(frames, None if mask is None else mask.flatten(1) > 0)
        return statistics

    def depths(self) -> list[list[nn.Parameter]]:
        """Stem, each block, what follows them."""
        return [trainable(self.stem), *(trainable(block) for block in self.blocks), trainable(self.last, self.pooling)]
