from __future__ import annotations

import math
from pathlib import Path

import pytest

from emovox.corpora.registry import index
from emovox.corpora.stats import corpus_stats
from tests.corpora.trees import RATE, SECONDS, WriteClip

LEVEL_TOLERANCE_DB = 0.5  # 400 samples of noise: the level's own scatter is about 0.2 dB


@pytest.fixture
def mine(tmp_path: Path, write_clip: WriteClip) -> Path:
    for seed, (file, rate, gain) in enumerate(
        [
            ("loud/Max/a.wav", RATE, 0.5),
            ("loud/Max/b.wav", 2 * RATE, 0.5),
            ("loud/Zoë/c.wav", RATE, 0.5),
            ("quiet/Zoë/d.wav", RATE, 0.005),
            ("quiet/Zoë/e.wav", RATE, 0.0),
            ("noise/f.wav", RATE, 0.5),
        ]
    ):
        write_clip(tmp_path / file, seed=seed, rate=rate, gain=gain)
    return tmp_path


def test_figures(mine: Path) -> None:
    stats = corpus_stats(index("folders", mine, labels={"loud": "loud", "quiet": "quiet", "noise": None}))
    assert [(label.label, label.clips, label.speakers) for label in stats.labels] == [
        ("loud", 3, {"Max": 2, "Zoë": 1}),
        ("quiet", 2, {"Zoë": 2}),
        ("(dropped)", 1, {"(unknown)": 1}),
    ]
    assert (stats.clips, stats.speakers, stats.sample_rates) == (6, 2, {RATE: 5, 2 * RATE: 1})
    assert stats.hours == pytest.approx(6 * SECONDS / 3600, abs=1e-4)
    assert stats.durations == dict.fromkeys(("0", "0.05", "0.25", "0.5", "0.75", "0.95", "1"), SECONDS)
    assert stats.labels[0].sexes == {"(unknown)": 3}


def test_level_tells_loud_labels_and_leaves_silence_out(mine: Path) -> None:
    loud, noise, quiet = corpus_stats(index("folders", mine)).labels
    expected = 10 * math.log10(0.5**2 / 3)  # uniform noise
    assert loud.level == pytest.approx(expected, abs=LEVEL_TOLERANCE_DB)
    assert noise.level == pytest.approx(expected, abs=LEVEL_TOLERANCE_DB)
    assert quiet.level == pytest.approx(expected - 40, abs=LEVEL_TOLERANCE_DB)


def test_nothing_but_silence(tmp_path: Path, write_clip: WriteClip) -> None:
    write_clip(tmp_path / "still" / "a.wav", gain=0.0)
    (label,) = corpus_stats(index("folders", tmp_path)).labels
    assert label.level is None
