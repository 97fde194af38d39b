"""Every encoder by the name that recipes give it."""

from __future__ import annotations

from emovox.models.ge2e import Ge2eConfig, Ge2eEncoder
from emovox.models.hybrid import HybridConfig, HybridEncoder
from emovox.models.mobile import MobileConfig, MobileEncoder
from emovox.models.network import Encoder
from emovox.models.reference_hybrid import ReferenceHybridConfig, ReferenceHybridEncoder
from emovox.models.whisper_encoder import WhisperConfig, WhisperEncoder

EncoderConfig = MobileConfig | HybridConfig | ReferenceHybridConfig | WhisperConfig | Ge2eConfig
"""One table of a recipe; its key `name` says which."""


def build_encoder(config: EncoderConfig) -> Encoder:
    """Build an encoder; weights that learn from the start are drawn from torch's generator.

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
