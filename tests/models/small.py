"""Encoders of a few thousand weights, one of each kind, and a Whisper folder with drawn weights."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import torch
from safetensors.torch import save_file

from emovox.adaptation.estimator import Adaptation, Gate
from emovox.adaptation.parameters import to_arrays
from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.frame_inputs import FrameInputsConfig
from emovox.models.head import Head, HeadConfig
from emovox.models.hybrid import HybridConfig
from emovox.models.mobile import MobileConfig
from emovox.models.network import Network
from emovox.models.reference_hybrid import ReferenceHybridConfig
from emovox.models.whisper import WhisperBlocks, WhisperSizes
from emovox.models.whisper_encoder import WhisperConfig

CEPSTRA = FrameInputsConfig(log_mel=False, f0=False, level=False)
MOBILE = MobileConfig(frames=CEPSTRA, width=8, blocks=2, expansion=2, kernel=3, squeeze=2, features=8, attention=4)
HYBRID = HybridConfig(frames=CEPSTRA, width=8, blocks=1, recurrent_width=8, cells=6, attention=4)

SIZES = WhisperSizes(d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=24)
CLASSES = ("bored", "cross", "keen")


def write_whisper(folder: Path, *, seed: int = 0) -> Path:
    """Write a float16 Whisper encoder of two blocks, as the hub keeps them, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, tensor in WhisperBlocks(SIZES, 2).state_dict().items():
        drawn = 0.3 * torch.randn(tensor.shape, generator=generator) + ("norm.weight" in name)
        tensors[f"model.encoder.{name}"] = drawn.half()
    (folder / "config.json").write_bytes(msgspec.json.encode(SIZES))
    save_file(tensors, folder / "model.safetensors")
    return folder


def whisper(folder: Path, *, learning: bool = False, hidden: bool = False) -> WhisperConfig:
    """Two blocks, both frozen; or one, with attention over both."""
    views: tuple[str, ...] = ("hidden", "output") if hidden else ("output",)
    return WhisperConfig(
        weights=str(folder),
        blocks=2,
        frozen=1 if learning else 2,
        views=views,  # type: ignore[arg-type]
        attention=4 if learning else 0,
    )


def small_encoders(folder: Path) -> dict[str, EncoderConfig]:
    """One of each kind; `folder` holds a Whisper encoder."""
    return {
        "mobile": MOBILE,
        "hybrid": HYBRID,
        "reference-hybrid": ReferenceHybridConfig(),
        "whisper": whisper(folder, hidden=True),
        "whisper-learning": whisper(folder, learning=True, hidden=True),
    }


def small_network(config: EncoderConfig, *, head: HeadConfig | None = None, seed: int = 0) -> Network:
    """A network in eval mode whose normalisation has seen a few batches."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = build_encoder(config)
        network = Network(encoder, Head(encoder.n_statistics, len(CLASSES), head or HeadConfig(hidden=8)))
        frames = 1 if isinstance(config, WhisperConfig) and config.is_fixed else 150
        with torch.no_grad():
            for _ in range(3):
                network(0.5 * torch.randn(4, frames, encoder.n_inputs) + 0.2)
    return network.eval()


def small_adaptation(n_statistics: int, n_labels: int) -> Adaptation:
    """Parameters of three axes, whose numbers float32 has."""
    axes = np.eye(n_statistics)[:3]
    gate = Gate(np.arange(5.0), np.full(5, 0.5), np.linspace(-1, 1, 5), 0.25)
    return Adaptation(axes, np.arange(3.0 * n_labels).reshape(3, n_labels), 0.5 * np.eye(3), 12.5, gate)


def assert_same_adaptation(found: Adaptation | None, expected: Adaptation) -> None:
    assert found is not None
    for name, array in to_arrays(expected).items():
        np.testing.assert_array_equal(to_arrays(found)[name], array, err_msg=name)
