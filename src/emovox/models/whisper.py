"""The first blocks of a Whisper encoder on clips of any length: nothing is padded to 30 s.

Three blocks of whisper-base take a tenth of the time for 3 s of audio that they take for padded 30 s: 34 ms on one core
in ONNX Runtime. Nine tenths of it are products and convolutions at 112 GFLOP/s, the limit of the core. One product for
query, key and value, a scale folded into the weights, or attention written out gain nothing (34.9 to 35.4 ms).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from emovox.features.config import FeatureConfig
from emovox.features.spectrum import hann
from emovox.models.front_end.dft import Blocks, PowerSpectrum
from emovox.models.front_end.mel import LogMel
from emovox.models.weights import fill, read_config
from emovox.schema.errors import AudioError, WeightsError

FRAMES = FeatureConfig(n_fft=400, hop=160, n_mels=80)
"""Parameters of Whisper's log-mel: windows of 25 ms every 10 ms, 80 bands, 80 dB below the loudest value."""

FRAME_SECONDS = 0.02
"""Seconds between frames: the second convolution halves the rate."""

LONGEST_FRAMES = 1500
"""Largest number of frames, 30 s: the range of the position code."""

Size = Annotated[int, msgspec.Meta(ge=1)]

_LAYER = "model.encoder.layers.{}."


class WhisperSizes(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes of an encoder, with the names of its config.json; other keys of the file are ignored."""

    d_model: Size = 512
    encoder_layers: Size = 6
    encoder_attention_heads: Size = 8
    encoder_ffn_dim: Size = 2048
    num_mel_bins: Size = 80


class WhisperLogMel(nn.Module):
    """Front end to Whisper's log-mel: samples [b, n] at 16 kHz to shape [b, 80, n // 160].

    Beyond its ends a clip is silent; Whisper reflects it. So the first and the last two frames differ slightly. A last
    frame that is louder than all others raises the floor; Whisper never sees this frame.
    """

    def __init__(self) -> None:
        super().__init__()
        self.power = PowerSpectrum(hann(FRAMES.n_fft).astype(float), n_fft=FRAMES.n_fft, hop=FRAMES.hop)
        self.blocks = Blocks(self.power.block, FRAMES.n_fft // 2)
        self.log_mel = LogMel(FRAMES)

    def forward(self, samples: Tensor) -> Tensor:
        """Return x = log10 of the mel power, at least its maximum - 8, as (x + 4) / 4."""
        decibels: Tensor = self.log_mel(self.power(self.blocks(samples)))
        return decibels[:, :, :-1] / 40 + 1


class Attention(nn.Module):
    """Self-attention over all frames of a clip, with output of the input's shape [b, t, d]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return attended frames of shape [b, t, d]; `mask` [b, t] is true on the frames of a clip."""
        batch, count, width = frames.shape
        query, key, value = (
            projection(frames).view(batch, count, self.heads, width // self.heads).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        seen = None if mask is None else mask[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        attended: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(batch, count, width))
        return attended


class Block(nn.Module):
    """One pre-norm transformer block."""

    def __init__(self, config: WhisperSizes) -> None:
        super().__init__()
        width = config.d_model
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.self_attn = Attention(width, config.encoder_attention_heads)
        self.final_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, config.encoder_ffn_dim)
        self.fc2: nn.Module = nn.Linear(config.encoder_ffn_dim, width)

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the output of the block, of the same shape [b, t, d]."""
        frames = self.attend(frames, mask)
        added: Tensor = frames + self.fc2(self.expand(frames))
        return added

    def attend(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the output of the first half, attention, of the same shape [b, t, d]."""
        added: Tensor = frames + self.self_attn(self.self_attn_layer_norm(frames), mask)
        return added

    def expand(self, frames: Tensor) -> Tensor:
        """Return the hidden activations of the second half for frames [b, t, d], shape [b, t, 4 d]."""
        return functional.gelu(self.fc1(self.final_layer_norm(frames)))


class WhisperBlocks(nn.Module):
    """The stem and the first blocks of the encoder, from log-mel.

    Args:
        config: sizes of the encoder.
        n_blocks: number of blocks, >= 1.

    Reference:
        Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022.
    """

    def __init__(self, config: WhisperSizes, n_blocks: int) -> None:
        super().__init__()
        self.sizes = config
        self.conv1 = nn.Conv1d(config.num_mel_bins, config.d_model, 3, padding=1)
        self.conv2 = nn.Conv1d(config.d_model, config.d_model, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(Block(config) for _ in range(n_blocks))
        self.wide = config.encoder_ffn_dim

    def block(self, index: int) -> Block:
        """Return block number `index`, counted from 0."""
        block = self.layers[index]
        assert isinstance(block, Block)
        return block

    def stem(self, log_mel: Tensor) -> Tensor:
        """Return the input of the first block, position code included.

        Args:
            log_mel: [b, 80, t], all clips of one length, t <= 3000.

        Returns:
            Shape [b, (t + 1) // 2, d].

        Raises:
            AudioError: the clips are longer than 30 seconds (not checked in export).
        """
        if not torch.onnx.is_in_onnx_export() and log_mel.shape[2] > 2 * LONGEST_FRAMES:
            raise AudioError(
                f"got {log_mel.shape[2] / 100:.1f} s, expected at most 30 s; cut the recording into pieces"
            )
        frames = functional.gelu(self.conv2(functional.gelu(self.conv1(log_mel)))).transpose(1, 2)
        # computed, not stored: saves 3 MB and takes 0.15 ms for 3 s
        placed: Tensor = frames + sinusoids(frames.shape[1], frames.shape[2]).to(frames)
        return placed

    def forward(self, log_mel: Tensor) -> list[Tensor]:
        """Return the output of every block, each of shape [b, t, d]."""
        frames, outputs = self.stem(log_mel), []
        for block in self.layers:
            frames = block(frames)
            outputs.append(frames)
        return outputs


def sinusoids(length: int, width: int) -> Tensor:
    """Return Whisper's fixed position code, shape [length, width]: sines, then cosines, of geometric wavelengths."""
    rates = torch.exp(-math.log(10000) / (width // 2 - 1) * torch.arange(width // 2))
    phase = torch.arange(length)[:, None] * rates
    return torch.cat([phase.sin(), phase.cos()], dim=1)


def load_whisper(source: str | Path, n_blocks: int) -> WhisperBlocks:
    """Load the first blocks of a Whisper encoder.

    Args:
        source: a folder with config.json and model.safetensors, one below $EMOVOX_WEIGHTS, or a name on the Hugging
            Face hub ("openai/whisper-base").
        n_blocks: number of blocks.

    Raises:
        WeightsError: the weights are not found, or are not a Whisper encoder with this number of blocks.
    """
    config = read_config(source, WhisperSizes)
    for problem, found in _problems(config, n_blocks).items():
        if found:
            raise WeightsError(f"{source}: {problem}; name another model")
    encoder = WhisperBlocks(config, n_blocks)
    names = {f"conv{i}.{part}": f"model.encoder.conv{i}.{part}" for i in (1, 2) for part in ("weight", "bias")}
    for name in encoder.layers.state_dict():
        index, rest = name.split(".", 1)
        names[f"layers.{name}"] = _LAYER.format(index) + rest
    fill(encoder, source, names)
    return encoder


def _problems(config: WhisperSizes, n_blocks: int) -> dict[str, bool]:
    width, heads = config.d_model, config.encoder_attention_heads
    return {
        f"got {n_blocks} blocks, expected 1 to {config.encoder_layers}": not 1 <= n_blocks <= config.encoder_layers,
        f"reads {config.num_mel_bins} mel bands, expected {FRAMES.n_mels}": config.num_mel_bins != FRAMES.n_mels,
        f"has {heads} heads for a width of {width}, expected a number that divides it": width % heads != 0,
    }
