"""An encoder from the frames of a GE2E speaker encoder, trained to verify speakers of VoxCeleb and LibriSpeech.

Emotion in the frozen layers (mean and deviation, RBF SVM, speaker-independent UAR of RAVDESS-8 / EMO-DB): layer 1
52.8 / 62.8, layer 2 67.1 / 83.5, layer 3 59.7 / 79.3, 2 and 3 67.3 / 84.7, all 64.9 / 82.1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import torch
from torch import Tensor, nn

from emovox.features.config import FeatureConfig
from emovox.features.mel import mel_filters
from emovox.features.spectrum import hann
from emovox.models.front_end.dft import Blocks, PowerSpectrum
from emovox.models.network import Encoder
from emovox.models.pooling import AttentiveStatistics, mean_deviation
from emovox.models.weights import fill, fingerprint
from emovox.schema.errors import ConfigError

FRAMES = FeatureConfig(n_fft=400, hop=160, n_mels=40)
"""Frame features of the encoder's training: windows of 25 ms every 10 ms, 40 mel bands."""

WIDTH, N_LAYERS = 256, 3
"""Cells of a layer, and number of layers."""

QUIET_DBFS = -30.0
"""Level in dBFS to which quieter clips are raised; louder ones do not change. The encoder's training did the same."""

SILENCE = 1e-10
"""Lower limit of the mean square in the gain, -100 dBFS: quieter clips get no higher gain."""

FRAME_STEP = 2
"""Step of the frames kept of frozen layers: every second one, 20 ms. Mean and deviation change by 0.02 of their
deviation between clips (median), and UAR by less than half a point; every fourth frame costs one to two points."""


class Ge2eConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="name", tag="ge2e"):
    """Choice of the layers and of their pooling.

    Attributes:
        weights: a folder, a folder below $EMOVOX_WEIGHTS, or a name on the hub.
        frozen: number of the first LSTM layers that do not learn, 0 to 3.
        layers: numbers of the layers that are pooled, from 1 to 3, rising; higher layers are left out. The default is
            the best of the table above.
        pooling: "statistics" takes mean and deviation over time, "attentive" weights the frames.
        attention: hidden units of the small network that gives the weights, >= 1.

    Raises:
        ConfigError: there is no such layer, or a size is below 1.
    """

    weights: str = "ge2e-speaker-encoder"
    frozen: int = N_LAYERS
    layers: tuple[int, ...] = (2, 3)
    pooling: Literal["statistics", "attentive"] = "statistics"
    attention: int = 64

    def __post_init__(self) -> None:
        """Raise an error for layers that the encoder does not have."""
        if not 0 <= self.frozen <= N_LAYERS:
            raise ConfigError(f"ge2e: got frozen = {self.frozen}, expected 0 (all learn) to {N_LAYERS} (none does)")
        if not self.layers or self.layers != tuple(sorted(set(self.layers) & set(range(1, N_LAYERS + 1)))):
            raise ConfigError(
                f"ge2e: got layers = {list(self.layers)}, expected some of 1 to {N_LAYERS}, in that order"
            )
        if self.attention < 1:
            raise ConfigError(f"ge2e: got attention = {self.attention}, expected at least 1")


class MelPower(nn.Module):
    """Front end to mel power (not its logarithm), with a gain for quiet clips.

    The encoder depends on the level. The gain follows the level of the whole clip, pauses included, as in the encoder's
    training. Without it a frozen encoder loses nine points of UAR on RAVDESS, where the median clip has -40 dBFS. One
    level for all clips, of the whole clip or of its speech, loses two or three: loudness above -30 dBFS carries
    information. The gain of a piece of a clip follows the level of the piece: a loud piece gets less gain than the
    clip, a soft one more.

    Shape:
        - Input: [b, n] at 16 kHz.
        - Output: [b, 1 + n // 160, 40].
    """

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.power = PowerSpectrum(hann(FRAMES.n_fft).astype(float), n_fft=FRAMES.n_fft, hop=FRAMES.hop)
        self.blocks = Blocks(self.power.block, FRAMES.n_fft // 2)
        self.register_buffer("filters", torch.from_numpy(mel_filters(FRAMES).copy()), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Compute the mel power of samples [b, n]."""
        level = samples.square().mean(1).clamp_min(SILENCE)
        gain = (10 ** (QUIET_DBFS / 10) / level).clamp_min(1)
        power: Tensor = self.filters @ self.power(self.blocks(samples))
        return (power * gain[:, None, None]).transpose(1, 2)


class Ge2eLayers(nn.ModuleList):
    """The LSTM layers, as a list, so that each can be frozen and pooled separately.

    They run forwards only, so padding after a clip does not change its frames.

    Args:
        n_layers: number of layers.
        n_inputs: channels of the input frames.
        width: cells of each layer.

    Reference:
        Wan, Wang, Papir and Lopez Moreno, "Generalized End-to-End Loss for Speaker Verification", 2018.
    """

    def __init__(self, n_layers: int = N_LAYERS, *, n_inputs: int = FRAMES.n_mels, width: int = WIDTH) -> None:
        sizes = [n_inputs] + [width] * (n_layers - 1)
        super().__init__(nn.LSTM(size, width, batch_first=True) for size in sizes)

    def run(self, frames: Tensor, start: int, end: int) -> list[Tensor]:
        """Return the outputs of layers `start` + 1 to `end`, each of shape [b, t, width].

        Args:
            frames: output [b, t, c] of layer `start`; mel power for 0.
            start: number of the last layer that has run.
            end: number of the last layer to run.
        """
        outputs: list[Tensor] = []
        for layer in list(self)[start:end]:
            frames, _ = layer(frames)
            outputs.append(frames)
        return outputs


class Ge2eEncoder(Encoder):
    """Encoder from the waveform to statistics over time of LSTM frames.

    `inputs` returns the frames of the frozen layers that are pooled, and those of the last frozen layer if layers above
    it learn. If no layer is frozen, it returns the root of mel power, whose range fits half precision on disk. Frames
    are left out (`FRAME_STEP`) only if no layer learns.

    Args:
        config: choice of the layers.
        lstm: the layers up to the last one that is pooled; None loads them from `config.weights`.

    Shape:
        - Input: samples [b, n] at 16 kHz.
        - Output: [b, 512 * layers], or `n_statistics`.

    Raises:
        WeightsError: the weights are not found, or are not those of this encoder.
    """

    def __init__(self, config: Ge2eConfig, lstm: Ge2eLayers | None = None) -> None:
        super().__init__()
        self.top, self.layers = config.layers[-1], config.layers
        self.n_frozen = min(config.frozen, self.top)
        self.step = FRAME_STEP if self.n_frozen == self.top else 1
        below = () if self.n_frozen == self.top else (self.n_frozen,)
        self.stored = tuple(sorted({layer for layer in config.layers if layer <= self.n_frozen} | set(below)))
        self.front_end = MelPower()
        self.lstm = load_ge2e(config.weights, self.top) if lstm is None else lstm
        self.frozen_layers.requires_grad_(False)
        width = WIDTH * len(config.layers)
        self.attention = AttentiveStatistics(width, config.attention) if config.pooling == "attentive" else None
        self.n_inputs, self.n_statistics = sum(self._widths()), 2 * width

    @property
    def frozen_layers(self) -> nn.ModuleList:
        """The layers that do not learn."""
        return nn.ModuleList(list(self.lstm)[: self.n_frozen])

    @property
    def inputs_key(self) -> str:
        """Key of the layers, and of the weights of frozen ones."""
        power = "" if self.n_frozen else "root of power "
        return f"ge2e {self.stored} {power}{self.step} {QUIET_DBFS} {fingerprint(self.frozen_layers)}"

    def inputs(self, samples: Tensor) -> Tensor:
        """Return the frames of samples [b, n], shape [b, t, c], every 10 ms, or every 20 ms if no layer learns."""
        power = self.front_end(samples)
        frames = [power.sqrt(), *self.lstm.run(power, 0, self.n_frozen)]
        return torch.cat([frames[layer] for layer in self.stored], dim=2)[:, :: self.step]

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Run the layers that learn on inputs [b, t, c], and return the statistics, shape [b, p]."""
        frames = dict(zip(self.stored, torch.split(inputs, self._widths(), dim=2), strict=True))
        if self.n_frozen < self.top:
            below = frames[self.n_frozen]
            learnt = self.lstm.run(below if self.n_frozen else below.square(), self.n_frozen, self.top)
            frames |= dict(enumerate(learnt, start=self.n_frozen + 1))
        chosen = torch.cat([frames[layer] for layer in self.layers], dim=2)
        pooled: Tensor = mean_deviation(chosen, mask) if self.attention is None else self.attention(chosen, mask)
        return pooled

    def depths(self) -> list[list[nn.Parameter]]:
        """Return a group for each layer that learns, then one for the attention."""
        modules = [*list(self.lstm)[self.n_frozen :], *([] if self.attention is None else [self.attention])]
        return [list(module.parameters()) for module in modules]

    def _widths(self) -> list[int]:
        return [WIDTH if layer else FRAMES.n_mels for layer in self.stored]


def load_ge2e(source: str | Path, n_layers: int = N_LAYERS) -> Ge2eLayers:
    """Load the first layers of a GE2E encoder.

    Args:
        source: a folder with model.safetensors, a folder below $EMOVOX_WEIGHTS, or a name on the hub.
        n_layers: number of layers, 1 to 3.

    Raises:
        WeightsError: the weights are not found, or are not those of this encoder.
    """
    layers = Ge2eLayers(n_layers)
    names = {name: f"lstm.{name.split('.')[1][:-1]}{name.split('.')[0]}" for name in layers.state_dict()}
    fill(layers, source, names)
    return layers
