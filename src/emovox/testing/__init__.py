"""Toy models and generated speech, for tests of programs that use emovox and for tutorials: small, no download.

A toy model is a real model file with its card. Its graph has the shape of every shipped model: waveform in, scores,
embedding and statistics out. It takes two logarithms for features: the mean absolute sample and the mean absolute
difference of neighbours. Their distance grows with frequency. So a low tone gets the first label, a high one the last.

Writing a toy model needs the package `onnx`: `pip install 'emovox[testing]'`.

>>> import tempfile, emovox
>>> from pathlib import Path
>>> with tempfile.TemporaryDirectory() as folder:
...     model = emovox.load(write_toy(Path(folder), labels=("low", "high")))
>>> model.predict((speech(3000.0, seconds=1.0), RATE)).label
'high'
"""

from emovox.testing.sounds import RATE, speech, tone
from emovox.testing.toys import (
    HIGHEST_HZ,
    LOWEST_HZ,
    SHARPNESS,
    centre_hz,
    change_card,
    toy_adaptation,
    toy_graph,
    write_toy,
)
from emovox.testing.voices import MANNERS, acted, write_voices

__all__ = [
    "HIGHEST_HZ",
    "LOWEST_HZ",
    "MANNERS",
    "RATE",
    "SHARPNESS",
    "acted",
    "centre_hz",
    "change_card",
    "speech",
    "tone",
    "toy_adaptation",
    "toy_graph",
    "write_toy",
    "write_voices",
]
