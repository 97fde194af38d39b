"""The examples in CONTRIBUTING.md work as they stand, and an entry in a registry is enough."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from emovox.audio.types import Samples
from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import Layout
from emovox.corpora.registry import CORPORA, index, locate
from emovox.models.frame_inputs import FrameEncoder, FrameInputsConfig
from emovox.models.masked import ConvNorm, clip_mask
from emovox.models.pooling import AttentiveStatistics
from emovox.testing import tone
from publish.corpora import corpora_table, label_table

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"

KNOWN: dict[str, Any] = {"msgspec": msgspec, "np": np, "torch": torch, "Tensor": Tensor, "Samples": Samples} | {
    each.__name__: each
    for each in (Corpus, Layout, FrameEncoder, FrameInputsConfig, ConvNorm, clip_mask, AttentiveStatistics)
}
"""What a module imports for its example."""


def example(file: str, name: str) -> Any:
    """Run the example of a file; return what it defines as `name`."""
    code = re.search(rf"```python\n(# {file};.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    names = {**KNOWN, "__name__": "example"}
    exec(code[1], names)
    return names[name]


def test_a_condition() -> None:
    samples = tone(3200)
    tilted = example("augment/conditions.py", "tilt")(samples, 16000, np.random.default_rng(0))
    np.testing.assert_allclose(tilted, samples * 10 ** (-15 / 20), atol=1e-4)  # five octaves above 100 Hz


def test_a_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CORPORA, "duo", example("corpora/duo.py", "DUO"))
    (tmp_path / "duo").mkdir()
    for name in ("ann-joy-1", "ben-rage-2"):
        soundfile.write(tmp_path / "duo" / f"{name}.wav", np.zeros(1600), 16000)
    clips = index("duo", locate("duo", {"EMOVOX_CORPORA": str(tmp_path)}), partial=True)
    assert [(clip.id, clip.speaker, clip.sex, clip.label) for clip in clips] == [
        ("ann-joy-1", "ann", "female", "happy"),
        ("ben-rage-2", "ben", "male", "angry"),
    ]
    assert "| duo | en | 40 | 2 | `ann-joy-1.wav` | CC0 1.0 | low |\n" in corpora_table()
    assert "| duo |  | joy |  | rage |" in label_table()


def test_an_encoder() -> None:
    config = example("models/tiny.py", "TinyConfig")
    encoder = example("models/tiny.py", "TinyEncoder")(config()).eval()
    inputs = encoder.inputs(torch.randn(1, 16000))
    padded = torch.cat([inputs, torch.ones(1, 7, encoder.n_inputs)], 1)
    mask = torch.arange(padded.shape[1])[None] < inputs.shape[1]
    with torch.no_grad():
        statistics = encoder.pool(inputs)
        torch.testing.assert_close(encoder.pool(padded, mask), statistics, atol=1e-5, rtol=1e-5)
    assert statistics.shape == (1, encoder.n_statistics) == (1, 64)
