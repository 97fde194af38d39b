"""Two views of the same frames: convolutions for local patterns, an LSTM for the course of time."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from emovox.models.frame_inputs import FrameInputs, FrameInputsConfig
from emovox.models.masked import ConvNorm, clip_mask, strided, trainable
from emovox.models.network import Encoder
from emovox.models.pooling import AttentiveStatistics
from emovox.models.sizes import check_sizes


class HybridConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="name", tag="hybrid"
):
    """Sizes; with a head of 256 and nine classes the defaults have 1.0 M parameters.

    For 3 s from the waveform to probabilities they take 4.0 ms in ONNX Runtime on one core.

    Convolutions: `width` channels in `blocks` residual blocks of two convolutions over `kernel` frames. LSTM: `cells`
    in either direction, over frames of `recurrent_width` channels that come every 40 ms at the default hop. Both are
    pooled, weighted by `attention` hidden units.

    Raises:
        ConfigError: a size below 1, or an even kernel.
    """

    frames: FrameInputsConfig = FrameInputsConfig()
    width: int = 128
    blocks: int = 4
    kernel: int = 3
    recurrent_width: int = 96
    cells: int = 128
    attention: int = 64

    def __post_init__(self) -> None:
        """Reject sizes that make no network."""
        check_sizes(self)


class Residual(nn.Module):
    """Two convolutions over time, added to their input.

    Args:
        width: channels.
        kernel: frames.
        stride: 2 keeps every second frame.

    Shape:
        - Input: frames [b, width, 1, t], own [b, 1, 1, t].
        - Output: frames [b, width, 1, (t - 1) // stride + 1], and what of them is own.

    Reference:
        He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2016.
    """

    def __init__(self, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.first = ConvNorm(width, width, kernel, stride=stride)
        self.second = ConvNorm(width, width, kernel)

    def forward(self, frames: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Compute one block."""
        inner, mask = torch.relu(self.first(frames, mask)), strided(mask, self.stride)
        return torch.relu(frames[..., :: self.stride] + self.second(inner, mask)), mask


class Local(nn.Module):
    """The convolutions: a stem that keeps every second frame, residual blocks, statistics.

    Args:
        n_inputs: channels of a frame.
        config: sizes.

    Shape:
        - Input: frames [b, n_inputs, 1, t], own [b, 1, 1, t].
        - Output: [b, 2 width].
    """

    def __init__(self, n_inputs: int, config: HybridConfig) -> None:
        super().__init__()
        self.stem = ConvNorm(n_inputs, config.width, 5, stride=2)
        strides = [2 if index == config.blocks // 2 else 1 for index in range(config.blocks)]
        self.blocks = nn.ModuleList(Residual(config.width, config.kernel, stride) for stride in strides)
        self.pooling = AttentiveStatistics(config.width, config.attention)

    def forward(self, frames: Tensor, mask: Tensor | None) -> Tensor:
        """Convolve and reduce."""
        frames = torch.relu(self.stem(frames, mask))
        mask = strided(mask, self.stem.stride)
        for block in self.blocks:
            frames, mask = block(frames, mask)
        statistics: Tensor = self.pooling(
            frames.flatten(2).transpose(1, 2), None if mask is None else mask.flatten(1) > 0
        )
        return statistics


class Recurrent(nn.Module):
    """The LSTM, forwards and backwards: a stem that keeps every fourth frame, the cells, statistics.

    Each clip is read backwards from its own last frame; that takes a quarter more time than a batch without padding.

    Args:
        n_inputs: channels of a frame.
        config: sizes.

    Shape:
        - Input: frames [b, n_inputs, 1, t], own [b, 1, 1, t].
        - Output: [b, 4 cells].
    """

    def __init__(self, n_inputs: int, config: HybridConfig) -> None:
        super().__init__()
        self.stem = ConvNorm(n_inputs, config.recurrent_width, 5, stride=4)
        self.lstm = nn.LSTM(config.recurrent_width, config.cells, batch_first=True, bidirectional=True)
        self.pooling = AttentiveStatistics(2 * config.cells, config.attention)

    def forward(self, frames: Tensor, mask: Tensor | None) -> Tensor:
        """Read and reduce."""
        steps = torch.relu(self.stem(frames, mask)).flatten(2).transpose(1, 2)
        mask = strided(mask, self.stem.stride)
        statistics: Tensor
        if mask is None:
            statistics = self.pooling(self.lstm(steps)[0])
        else:
            lengths = mask.sum((1, 2, 3)).long().cpu()
            states, _ = self.lstm(pack_padded_sequence(steps, lengths, batch_first=True, enforce_sorted=False))
            padded, _ = pad_packed_sequence(states, batch_first=True, total_length=steps.shape[1])
            statistics = self.pooling(padded, mask.flatten(1) > 0)
        return statistics


class HybridEncoder(Encoder):
    """Frame features → convolutions beside an LSTM → the statistics of both, side by side.

    Once training is over, a clip alone and in a padded batch gives the same statistics. While it learns, batch
    normalisation uses the own frames of all clips in the batch: the other clips change a clip's statistics, padding
    does not.

    Args:
        config: sizes.

    Shape:
        - Input: samples [b, n] at 16 kHz.
        - Output: [b, 2 width + 4 cells].
    """

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.front_end = FrameInputs(config.frames)
        self.n_inputs = self.front_end.n_channels
        self.n_statistics = 2 * config.width + 4 * config.cells
        self.local = Local(self.n_inputs, config)
        self.recurrent = Recurrent(self.n_inputs, config)

    @property
    def inputs_key(self) -> str:
        """Name the frame features."""
        return self.front_end.key

    def inputs(self, samples: Tensor) -> Tensor:
        """[b, n] → frame features [b, t, c]."""
        frames: Tensor = self.front_end(samples)
        return frames

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """[b, t, c] → [b, 2 width + 4 cells]; a clip's own frames come first in its row."""
        mask, frames = clip_mask(mask, inputs.dtype), inputs.transpose(1, 2)[:, :, None]
        return torch.cat([self.local(frames, mask), self.recurrent(frames, mask)], 1)

    def depths(self) -> list[list[nn.Parameter]]:
        """Both stems, each residual block with the LSTM beside the last one, both poolings."""
        local, recurrent = self.local, self.recurrent
        blocks = [trainable(block) for block in local.blocks]
        blocks[-1] += trainable(recurrent.lstm)
        return [trainable(local.stem, recurrent.stem), *blocks, trainable(local.pooling, recurrent.pooling)]
