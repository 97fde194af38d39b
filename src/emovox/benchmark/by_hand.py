"""The usual alternatives: features from librosa with the same network in PyTorch's eager mode, and openSMILE.

The weights are random, since time depends on the layers and not on the weights. Everything else is that of the shipped
model, so that only the way from waveform to scores differs.
"""

from __future__ import annotations

from collections.abc import Callable

import librosa
import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor, nn

from emovox.audio.types import Samples
from emovox.features.config import FeatureConfig
from emovox.models.frame_inputs import FrameInputs, FrameInputsConfig
from emovox.models.front_end.frames import FrameTensors
from emovox.models.head import Head, HeadConfig
from emovox.models.hybrid import HybridConfig, HybridEncoder
from emovox.models.mobile import MobileConfig, MobileEncoder
from emovox.models.whisper import FRAMES, WhisperBlocks, WhisperSizes
from emovox.schema.errors import ConfigError
from emovox.schema.labels import EMOTIONS

N_CLASSES = 9
"""The seven emotions, calm and boredom: the classes on which the shipped models were trained."""

HOP = 320
"""Samples between two frames of `mobile` and `hybrid`, as in their recipes."""


class LibrosaFrames(nn.Module):
    """The frame features of the shipped front end, computed by librosa for one recording at a time.

    Args:
        config: as of `FrameFrontEnd`.
        f0_step: frames from one F0 value to the next, 1 or 2. With 1, F0 has as many frames as librosa's other
            features; with 2, as many as in the shipped front end.

    Raises:
        ConfigError: another step.
    """

    def __init__(self, config: FeatureConfig, *, f0_step: int = 1) -> None:
        super().__init__()
        if f0_step not in (1, 2):
            raise ConfigError(f"f0_step: got {f0_step}, expected 1 or 2 frames from one F0 to the next")
        self.config, self.f0_step = config, f0_step

    def time_last(self, samples: Tensor) -> FrameTensors:
        """Return the features that the small networks read, of samples [1, n]; the others are empty.

        The network reads F0 of every second frame, for either step.
        """
        config, audio = self.config, samples[0].numpy()
        rate, hop = config.sample_rate, config.hop
        power = librosa.feature.melspectrogram(
            y=audio, sr=rate, n_fft=config.n_fft, hop_length=hop, n_mels=config.n_mels
        )
        decibels = librosa.power_to_db(power, top_db=config.top_db)
        mfcc = librosa.feature.mfcc(S=decibels, n_mfcc=config.n_mfcc)
        f0 = librosa.yin(audio, sr=rate, fmin=config.f0_fmin, fmax=config.f0_fmax, hop_length=self.f0_step * hop)
        f0 = f0[:: 2 // self.f0_step]
        arrays = {
            "mfcc": mfcc,
            "delta": librosa.feature.delta(mfcc),
            "delta2": librosa.feature.delta(mfcc, order=2),
            "log_mel": decibels,
            "rms": librosa.feature.rms(y=audio, frame_length=config.n_fft, hop_length=hop)[0],
            "f0": f0,
            "voiced": np.ones_like(f0),
        }
        tensors = {name: torch.from_numpy(np.asarray(value, np.float32))[None] for name, value in arrays.items()}
        return FrameTensors(**dict.fromkeys(FrameTensors._fields, torch.zeros(1, 0)) | tensors)


class LibrosaWhisper(nn.Module):
    """Three blocks of a Whisper encoder over librosa's log-mel bands, pooled as in `accurate`."""

    def __init__(self) -> None:
        super().__init__()
        config = WhisperSizes()
        self.whisper = WhisperBlocks(config, 3)
        self.n_statistics = 3 * config.encoder_ffn_dim

    def forward(self, samples: Tensor) -> Tensor:
        """Return the statistics [1, p] of samples [1, n]."""
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


def mobile(f0_step: int = 1) -> tuple[nn.Module, Head]:
    """Return encoder and head of `mobile` over librosa's features; `f0_step` as of `LibrosaFrames`."""
    encoder = MobileEncoder(MobileConfig(frames=FrameInputsConfig(hop=HOP)))
    _replace(encoder.front_end, f0_step)
    return encoder, _head(encoder.n_statistics, 128)


def hybrid(f0_step: int = 1) -> tuple[nn.Module, Head]:
    """Return encoder and head of `hybrid` over librosa's features; `f0_step` as of `LibrosaFrames`."""
    encoder = HybridEncoder(HybridConfig(frames=FrameInputsConfig(hop=HOP)))
    _replace(encoder.front_end, f0_step)
    return encoder, _head(encoder.n_statistics, 256)


def accurate() -> tuple[nn.Module, Head]:
    """Return encoder and head of `accurate` over librosa's log-mel bands."""
    encoder = LibrosaWhisper()
    return encoder, _head(encoder.n_statistics, 3 * 128)  # three heads, joined into one


NETWORKS: dict[str, Callable[..., tuple[nn.Module, Head]]] = {"mobile": mobile, "hybrid": hybrid, "accurate": accurate}
"""Name of a shipped model → function that builds its counterpart."""

WITH_F0 = ("mobile", "hybrid")
"""Models that read F0 and take `f0_step`."""


def by_hand(model: str, *, f0_step: int = 1) -> Callable[[Samples], Samples]:
    """Return the counterpart of a shipped network over librosa's features. PyTorch is set to one thread.

    Args:
        model: a key of `NETWORKS`.
        f0_step: as of `LibrosaFrames`, for models in `WITH_F0`.

    Returns:
        A function from samples [n] float32 at 16 kHz to scores [classes].
    """
    torch.set_num_threads(1)
    parts = NETWORKS[model](f0_step=f0_step) if model in WITH_F0 else NETWORKS[model]()
    network = nn.Sequential(*parts).eval()

    def predict(samples: Samples) -> Samples:
        """Compute the scores [classes] of samples [n]."""
        with torch.inference_mode():
            logits: Tensor = network(torch.from_numpy(samples)[None])["logits"]
            scores: Samples = logits.softmax(dim=1)[0].numpy()
        return scores

    return predict


def _head(n_statistics: int, hidden: int) -> Head:
    return Head(n_statistics, N_CLASSES, HeadConfig(hidden=hidden))


def _replace(inputs: FrameInputs, f0_step: int) -> None:
    frames = LibrosaFrames(inputs.config.features(), f0_step=f0_step)
    setattr(inputs, "front_end", frames)  # noqa: B010  # another type, the same method


RATE = 16000
"""Sample rate in Hz of openSMILE's input."""

CLIPS = 1000
"""Training clips of the support vector machine: about as many as a corpus has."""


def egemaps_svm() -> Callable[[Samples], object]:
    """Return a classifier over eGeMAPS (88 functionals). It is fitted on random numbers, since only its time matters.

    Returns:
        A function from samples [n] float32 at 16 kHz to one of the labels.
    """
    import opensmile  # here, since the tests import this module without openSMILE, as in CI

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )
    rng = np.random.default_rng(0)
    labels = np.arange(CLIPS) % len(EMOTIONS)
    classifier = make_pipeline(StandardScaler(), PCA(0.95), SVC())
    classifier.fit(rng.standard_normal((CLIPS, smile.num_features)) + labels[:, None] / 10, labels)

    def predict(samples: Samples) -> object:
        """Classify samples [n]."""
        return classifier.predict(smile.process_signal(samples, RATE).to_numpy())

    return predict
