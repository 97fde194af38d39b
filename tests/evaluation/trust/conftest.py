"""A small generated corpus, and systems that hear the pitch of a tone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.audio.types import Samples
from emovox.corpora.manifest import Clip
from emovox.evaluation.trust.sample import Sizes
from emovox.testing import RATE, speech

LABELS = ("low", "middle", "high")
PITCHES = {"low": 110.0, "middle": 200.0, "high": 390.0}
SMALL = Sizes(heard=200, changed=24, sounds=1, adapted=20, pitched=3)


def scores_of(samples: Samples, rate: int) -> list[float]:
    """Return scores by the loudest frequency, surer the nearer it is; a system that is nearly always right."""
    spectrum = np.abs(np.fft.rfft(samples))
    hertz = max(float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()]), 1.0)
    logits = np.array([-8 * abs(np.log2(hertz / centre)) for centre in PITCHES.values()])
    powers = np.exp(logits - logits.max())
    return list(powers / powers.sum())


def made_clip(folder: Path, corpus: str, speaker: int, label: str, take: int) -> Clip:
    """Return a clip whose pitch is that of the label, a little higher for each speaker."""
    path = folder / f"{corpus}-{speaker}-{label}-{take}.wav"
    if not path.exists():
        sound = speech(PITCHES[label] * (1 + 0.01 * speaker), seconds=1.0, seed=take)
        soundfile.write(path, sound, RATE)
    return Clip(
        corpus=corpus,
        id=path.stem,
        path=str(path),
        speaker=f"s{speaker:02d}",
        sex="female" if speaker % 2 else "male",
        language="en" if speaker < 6 else "de",
        native=label,
        label=label,
        duration=1.0,
        sample_rate=RATE,
    )


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Clip]:
    """144 clips of twelve speakers, six of each sex."""
    folder = tmp_path_factory.mktemp("own")
    return [made_clip(folder, "own", s, label, take) for s in range(12) for label in LABELS for take in range(4)]
