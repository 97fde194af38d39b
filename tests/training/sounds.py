"""Recordings in three moods of speakers that do not exist, told apart by pitch, level and tempo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from emovox.audio.types import Samples

RATE = 16000
MOODS = {"bored": (95.0, 0.06, 2.2), "cross": (190.0, 0.45, 4.0), "keen": (290.0, 0.2, 6.0)}
"""Label → pitch in Hz, level, syllables a second."""

SPEAKERS = {"ada": 1.12, "bob": 0.9, "cy": 0.97, "dee": 1.05}
"""Speaker → factor of the pitch."""


def utterance(mood: str, speaker: str, take: int, *, seconds: float = 1.6) -> Samples:
    """[n]: a buzz in syllables under a formant of the speaker's, over a faint noise floor."""
    pitch, level, tempo = MOODS[mood]
    rng = np.random.default_rng([sorted(MOODS).index(mood), sorted(SPEAKERS).index(speaker), take])
    time = np.arange(round(seconds * RATE)) / RATE
    hz = pitch * SPEAKERS[speaker] * (1 + 0.05 * np.sin(2 * np.pi * (1 + rng.random()) * time + take))
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    formant = 600 * SPEAKERS[speaker] + 100 * rng.random()
    voice = sum(np.sin(k * phase) / (1 + abs(k * hz - formant) / 400) for k in range(1, 12))
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * tempo * (1 + 0.1 * rng.random()) * time)
    return (level * voice * syllables / 4 + 1e-4 * rng.standard_normal(len(time))).astype(np.float32)


def write_sounds(folder: Path, *, takes: int = 2, speakers: bool = True) -> Path:
    """Write every mood of every speaker, and return the table that lists them."""
    lines = ["path,label,speaker" if speakers else "path,label"]
    for speaker in SPEAKERS:
        for mood in MOODS:
            for take in range(takes):
                name = f"{speaker}-{mood}-{take}.wav"
                folder.mkdir(parents=True, exist_ok=True)
                soundfile.write(folder / name, utterance(mood, speaker, take), RATE)
                lines.append(",".join([name, mood, *([speaker] if speakers else [])]))
    table = folder / "own.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table
