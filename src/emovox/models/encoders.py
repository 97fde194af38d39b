"""Build encoders by their name in recipes."""

from __future__ import annotations

from emovox.models.functionals import FunctionalsConfig, FunctionalsEncoder
from emovox.models.ge2e import Ge2eConfig, Ge2eEncoder, Ge2eLayers
from emovox.models.hybrid import HybridConfig, HybridEncoder
from emovox.models.mobile import MobileConfig, MobileEncoder
from emovox.models.network import Encoder
from emovox.models.reference_hybrid import ReferenceHybridConfig, ReferenceHybridEncoder
from emovox.models.whisper import WhisperBlocks, WhisperSizes
from emovox.models.whisper_encoder import WhisperConfig, WhisperEncoder

EncoderConfig = MobileConfig | HybridConfig | ReferenceHybridConfig | WhisperConfig | Ge2eConfig | FunctionalsConfig
"""Table of an encoder in a recipe; its key `name` selects the type."""


def build_encoder(config: EncoderConfig) -> Encoder:
    """Build an encoder; weights without pretraining are drawn from torch's generator.

    >>> build_encoder(MobileConfig()).n_statistics
    256
    """
    match config:
        case MobileConfig():
            return MobileEncoder(config)
        case HybridConfig():
            return HybridEncoder(config)
        case ReferenceHybridConfig():
            return ReferenceHybridEncoder(config)
        case WhisperConfig():
            return WhisperEncoder(config)
        case Ge2eConfig():
            return Ge2eEncoder(config)
        case FunctionalsConfig():
            return FunctionalsEncoder()


def empty_encoder(config: EncoderConfig, sizes: WhisperSizes | None = None) -> Encoder:
    """Build an encoder without pretrained weights; the caller fills in all weights.

    Args:
        config: table of the encoder.
        sizes: sizes of the pretrained Whisper encoder; other encoders ignore them.

    >>> empty_encoder(WhisperConfig(blocks=1, frozen=1)).n_statistics
    1024
    """
    match config:
        case WhisperConfig():
            return WhisperEncoder(config, WhisperBlocks(sizes or WhisperSizes(), config.blocks))
        case Ge2eConfig():
            return Ge2eEncoder(config, Ge2eLayers(config.layers[-1]))
        case _:
            return build_encoder(config)


def encoder_sizes(encoder: Encoder) -> WhisperSizes | None:
    """Return the sizes that `empty_encoder` needs beside the configuration."""
    return encoder.whisper.sizes if isinstance(encoder, WhisperEncoder) else None
