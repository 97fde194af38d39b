"""An encoder with two branches over the same frames: convolutions for local patterns, an LSTM for longer ones."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from emovox.models.frame_inputs import FrameEncoder, FrameInputsConfig
from emovox.models.masked import ConvNorm, clip_mask, strided, trainable
from emovox.models.pooling import AttentiveStatistics
from emovox.models.sizes import check_sizes


class HybridConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="name", tag="hybrid"
):
    """Sizes of the encoder; with a head of 256 and nine classes the defaults have 1.0 M parameters.

    3 s from the waveform to probabilities take 4.0 ms in ONNX Runtime on one core.

    Attributes:
        frames: choice of the frame features.
        width: channels of the convolutions.
        blocks: number of residual blocks of two convolutions.
        kernel: frames of a convolution, odd.
        recurrent_width: input channels of the LSTM; its frames are 40 ms apart at the default hop.
        cells: cells of the LSTM in each direction.
        attention: hidden units of both poolings.

    Raises:
        ConfigError: a size is below 1, or the kernel is even.
    """

    frames: FrameInputsConfig = FrameInputsConfig()
    width: int = 128
    blocks: int = 4
    kernel: int = 3
    recurrent_width: int = 96
    cells: int = 128
    attention: int = 64

    def __post_init__(self) -> None:
        """Raise an error for impossible sizes."""
        check_sizes(self)


class Residual(nn.Module):
    """Residual block: two convolutions over time, added to their input.

    Args:
        width: channels.
        kernel: frames of a convolution, odd.
        stride: step between output frames, 1 or 2.

    Shape:
        - Input: frames [b, width, 1, t], mask [b, 1, 1, t].
        - Output: frames [b, width, 1, (t - 1) // stride + 1], and their mask.

    Reference:
        He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2016.
    """

    def __init__(self, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.first = ConvNorm(width, width, kernel, stride=stride)
        self.second = ConvNorm(width, width, kernel)

    def forward(self, frames: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the output frames and their mask."""
        inner, mask = torch.relu(self.first(frames, mask)), strided(mask, self.stride)
        return torch.relu(frames[..., :: self.stride] + self.second(inner, mask)), mask


class Local(nn.Module):
    """Branch of convolutions: a stem that keeps every second frame, residual blocks and pooling.

    Args:
        n_inputs: channels of a frame.
        config: sizes.

    Shape:
        - Input: frames [b, n_inputs, 1, t], mask [b, 1, 1, t].
        - Output: [b, 2 width].
    """

    def __init__(self, n_inputs: int, config: HybridConfig) -> None:
        super().__init__()
        self.stem = ConvNorm(n_inputs, config.width, 5, stride=2)
        strides = [2 if index == config.blocks // 2 else 1 for index in range(config.blocks)]
        self.blocks = nn.ModuleList(Residual(config.width, config.kernel, stride) for stride in strides)
        self.pooling = AttentiveStatistics(config.width, config.attention)

    def forward(self, frames: Tensor, mask: Tensor | None) -> Tensor:
        """Return the statistics."""
        frames = torch.relu(self.stem(frames, mask))
        mask = strided(mask, self.stem.stride)
        for block in self.blocks:
            frames, mask = block(frames, mask)
        statistics: Tensor = self.pooling(
            frames.squeeze(2).transpose(1, 2), None if mask is None else mask.flatten(1) > 0
        )
        return statistics


class Recurrent(nn.Module):
    """Branch of a bidirectional LSTM: a stem that keeps every fourth frame, the LSTM and pooling.

    The backward direction starts at the last frame of each clip, not in the padding. This takes a quarter more time
    than a batch without padding.

    Args:
        n_inputs: channels of a frame.
        config: sizes.

    Shape:
        - Input: frames [b, n_inputs, 1, t], mask [b, 1, 1, t].
        - Output: [b, 4 cells].
    """

    def __init__(self, n_inputs: int, config: HybridConfig) -> None:
        super().__init__()
        self.stem = ConvNorm(n_inputs, config.recurrent_width, 5, stride=4)
        self.lstm = nn.LSTM(config.recurrent_width, config.cells, batch_first=True, bidirectional=True)
        self.pooling = AttentiveStatistics(2 * config.cells, config.attention)

    def forward(self, frames: Tensor, mask: Tensor | None) -> Tensor:
        """Return the statistics."""
        steps = torch.relu(self.stem(frames, mask)).squeeze(2).transpose(1, 2)
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


class HybridEncoder(FrameEncoder):
    """Encoder of frame features, convolutions and an LSTM; it concatenates the statistics of both branches.

    After training, a clip has the same statistics alone and in a padded batch. In training, batch normalisation uses
    the frames of all clips in the batch: the other clips change the statistics of a clip, padding does not.

    Args:
        config: sizes.

    Shape:
        - Input: samples [b, n] at 16 kHz.
        - Output: [b, 2 width + 4 cells].
    """

    def __init__(self, config: HybridConfig) -> None:
        super().__init__(config.frames)
        self.n_statistics = 2 * config.width + 4 * config.cells
        self.local = Local(self.n_inputs, config)
        self.recurrent = Recurrent(self.n_inputs, config)

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the statistics of inputs [b, t, c], shape [b, 2 width + 4 cells]; padding comes after the clip."""
        mask, frames = clip_mask(mask, inputs.dtype), inputs.transpose(1, 2)[:, :, None]
        return torch.cat([self.local(frames, mask), self.recurrent(frames, mask)], 1)

    def depths(self) -> list[list[nn.Parameter]]:
        """Return the parameters of both stems, each residual block (the last with the LSTM), and both poolings."""
        local, recurrent = self.local, self.recurrent
        blocks = [trainable(block) for block in local.blocks]
        blocks[-1] += trainable(recurrent.lstm)
        return [trainable(local.stem, recurrent.stem), *blocks, trainable(local.pooling, recurrent.pooling)]
