"""What people write by hand: features from librosa, then the same network in PyTorch's eager mode.

The weights are drawn anew, since time depends on the layers and not on what they have learnt; everything else is that
of the shipped model, so that only the road from waveform to probabilities differs.
"""

from __future__ import annotations

from collections.abc import Callable

import librosa
import numpy as np
import torch
from torch import Tensor, nn

from emovox.audio.types import Samples
from emovox.features.config import FeatureConfig
from emovox.models.frame_inputs import FrameInputs, FrameInputsConfig
from emovox.models.front_end.frames import FrameTensors
from emovox.models.head import Head, HeadConfig
from emovox.models.hybrid import HybridConfig, HybridEncoder
from emovox.models.mobile import MobileConfig, MobileEncoder
from emovox.models.whisper import FRAMES, WhisperBlocks, WhisperConfig

N_CLASSES = 9
"""The seven, calm and boredom: what the shipped models learnt from."""

HOP = 320
"""Samples between two frames of `mobile` and `hybrid`, as in their recipes."""


class LibrosaFrames(nn.Module):
    """The frame features of the shipped front end, by librosa; one recording at a time.

    Args:
        config: as of `FrameFrontEnd`.
    """

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config

    def time_last(self, samples: Tensor) -> FrameTensors:
        """Compute what the small networks read of [1, n]; the rest of the tuple is empty.

        F0 comes with every frame, as the other features do. The shipped front end computes every second one, which
        would save librosa 6.8 of its 14 ms for 3 s of audio.
        """
        config, audio = self.config, samples[0].numpy()
        rate, hop = config.sample_rate, config.hop
        power = librosa.feature.melspectrogram(
            y=audio, sr=rate, n_fft=config.n_fft, hop_length=hop, n_mels=config.n_mels
        )
        decibels = librosa.power_to_db(power, top_db=config.top_db)
        mfcc = librosa.feature.mfcc(S=decibels, n_mfcc=config.n_mfcc)
        f0 = librosa.yin(audio, sr=rate, fmin=config.f0_fmin, fmax=config.f0_fmax, hop_length=hop)
        found = {
            "mfcc": mfcc,
            "delta": librosa.feature.delta(mfcc),
            "delta2": librosa.feature.delta(mfcc, order=2),
            "log_mel": decibels,
            "rms": librosa.feature.rms(y=audio, frame_length=config.n_fft, hop_length=hop)[0],
            "f0": f0,
            "voiced": np.ones_like(f0),
        }
        tensors = {name: torch.from_numpy(np.asarray(value, np.float32))[None] for name, value in found.items()}
        return FrameTensors(**dict.fromkeys(FrameTensors._fields, torch.zeros(1, 0)) | tensors)


class LibrosaWhisper(nn.Module):
    """Three blocks of a Whisper encoder over librosa's log-mel, pooled as `accurate` does."""

    def __init__(self) -> None:
        super().__init__()
        config = WhisperConfig()
        self.whisper = WhisperBlocks(config, 3)
        self.n_statistics = 3 * config.encoder_ffn_dim

    def forward(self, samples: Tensor) -> Tensor:
        """[1, n] → [1, p]."""
        power = librosa.feature.melspectrogram(
            y=samples[0].numpy(), sr=FRAMES.sample_rate, n_fft=FRAMES.n_fft, hop_length=FRAMES.hop, n_mels=FRAMES.n_mels
        )
        log_mel = librosa.power_to_db(power, ref=np.max, top_db=FRAMES.top_db) / 40 + 1
        frames = self.whisper.stem(torch.from_numpy(log_mel)[None])
        hidden = []
        for index in range(3):
            block = self.whisper.block(index)
            frames = block.attend(frames)
            hidden.append(block.expand(frames))
            frames = frames + block.fc2(hidden[-1])
        return torch.cat([values.mean(1) for values in hidden], dim=1)


def mobile() -> tuple[nn.Module, Head]:
    """Build `mobile` over librosa's features: encoder and head."""
    encoder = MobileEncoder(MobileConfig(frames=FrameInputsConfig(hop=HOP)))
    _replace(encoder.front_end)
    return encoder, _head(encoder.n_statistics, 128)


def hybrid() -> tuple[nn.Module, Head]:
    """Build `hybrid` over librosa's features: encoder and head."""
    encoder = HybridEncoder(HybridConfig(frames=FrameInputsConfig(hop=HOP)))
    _replace(encoder.front_end)
    return encoder, _head(encoder.n_statistics, 256)


def accurate() -> tuple[nn.Module, Head]:
    """Build `accurate` over librosa's log-mel: encoder and head."""
    encoder = LibrosaWhisper()
    return encoder, _head(encoder.n_statistics, 3 * 128)  # three heads, joined into one


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Head]]] = {"mobile": mobile, "hybrid": hybrid, "accurate": accurate}
"""By the names of the shipped models."""


def by_hand(model: str) -> Callable[[Samples], Samples]:
    """Make the hand-written counterpart of a shipped network, for one thread.

    Args:
        model: a key of `NETWORKS`.

    Returns:
        A function from samples [n] float32 at 16 kHz to probabilities [classes].
    """
    torch.set_num_threads(1)
    network = nn.Sequential(*NETWORKS[model](), nn.Softmax(dim=1)).eval()

    def predict(samples: Samples) -> Samples:
        with torch.inference_mode():
            scores: Samples = network(torch.from_numpy(samples)[None])[0].numpy()
        return scores

    return predict


def _head(n_statistics: int, hidden: int) -> Head:
    return Head(n_statistics, N_CLASSES, HeadConfig(hidden=hidden))


def _replace(inputs: FrameInputs) -> None:
    setattr(inputs, "front_end", LibrosaFrames(inputs.config.features()))  # noqa: B010  # another type, the same method
