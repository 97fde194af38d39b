"""Write the small corpora of `trees`, made of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.corpora.trees import LABEL_FILES, RATE, SECONDS, TREES, MakeTree, WriteClip


@pytest.fixture
def write_clip() -> WriteClip:
    """Write noise: `write_clip(path, seed=0, rate=8000, channels=1, gain=0.1)`; equal seeds give equal samples."""

    def write(path: Path, *, seed: int = 0, rate: int = RATE, channels: int = 1, gain: float = 0.1) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = gain * np.random.default_rng(seed).uniform(-1, 1, (round(SECONDS * rate), channels))
        soundfile.write(path, (32767 * samples).astype(np.int16), rate)  # exact in every lossless format
        return path

    return write


@pytest.fixture
def make_tree(tmp_path: Path, write_clip: WriteClip) -> MakeTree:
    """Write the small tree of a corpus: `make_tree(name, suffix=".wav", below="")`, every clip different."""

    def make(name: str, *, suffix: str = ".wav", below: str = "") -> Path:
        root = tmp_path / name
        for seed, file in enumerate(TREES[name]):
            write_clip((root / below / file).with_suffix(suffix), seed=seed)
        for file, text in LABEL_FILES.get(name, {}).items():
            (root / below / file).parent.mkdir(parents=True, exist_ok=True)
            (root / below / file).write_text(text, encoding="utf-8")
        return root

    return make
