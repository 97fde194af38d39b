"""Speech emotion recognition: small, fast models from waveform to probabilities, with measured figures.

>>> import emovox
>>> emovox.__version__.count(".")
2
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from emovox._version import __version__

if TYPE_CHECKING:
    from emovox.runtime.predictor import Predictor, load, predict
    from emovox.schema.errors import EmovoxError
    from emovox.schema.labels import EMOTIONS
    from emovox.schema.result import Result, Segment

__all__ = ["EMOTIONS", "EmovoxError", "Predictor", "Result", "Segment", "__version__", "load", "predict"]

# ONNX Runtime 1.32 and later report usage to Microsoft unless this is set before it loads. emovox sends nothing.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Name → module, imported at first use: `import emovox` loads neither numpy nor ONNX Runtime and stays below 50 ms.
_HOME = {
    "EMOTIONS": "emovox.schema.labels",
    "EmovoxError": "emovox.schema.errors",
    "Predictor": "emovox.runtime.predictor",
    "Result": "emovox.schema.result",
    "Segment": "emovox.schema.result",
    "load": "emovox.runtime.predictor",
    "predict": "emovox.runtime.predictor",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'emovox' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
