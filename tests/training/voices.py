"""A VoxCeleb tree of voices that do not exist, told apart by pitch and formant; videos differ in noise and level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from emovox.audio.types import Samples

RATE = 16000
VOICES = {"id10001": (95.0, 500.0), "id10002": (150.0, 900.0), "id10003": (240.0, 650.0), "id10004": (200.0, 1500.0)}
"""Speaker → pitch and formant in Hz."""


def said(speaker: str, video: int, take: int, *, seconds: float = 1.2) -> Samples:
    """[n]: a buzz in syllables; the video gives noise and level."""
    pitch, formant = VOICES[speaker]
    rng = np.random.default_rng([sorted(VOICES).index(speaker), video, take])
    time = np.arange(round(seconds * RATE)) / RATE
    hz = pitch * (1 + 0.08 * np.sin(2 * np.pi * (1 + rng.random()) * time + take))
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    voice = sum(np.sin(k * phase) / (1 + abs(k * hz - formant) / 200) for k in range(1, 16))
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * (3 + 2 * rng.random()) * time)
    noise = (3e-4 + 1e-4 * video) * rng.standard_normal(len(time))
    return ((0.2 - 0.03 * video) * voice * syllables / 4 + noise).astype(np.float32)


def write_voxceleb(folder: Path, *, speakers: int = len(VOICES), videos: int = 2, clips: int = 3) -> Path:
    """Write the tree, and return the folder `voxceleb` that it lies in."""
    for speaker in list(VOICES)[:speakers]:
        for video in range(videos):
            for take in range(clips):
                path = folder / "voxceleb" / "wav" / speaker / f"v{video}" / f"{take:05d}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, said(speaker, video, take), RATE)
    return folder / "voxceleb"
