"""Pieces of speech and of other sounds by formula, as `emovox.training.speech_material` makes them of recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from emovox.corpora.manifest import Clip
from emovox.testing import RATE, speech
from emovox.training.speech_material import SpeechMaterial, Steps
from emovox.training.speech_sounds import FOLDS, NEVER, SYNTHETIC, PieceNote

SECONDS = 0.5


def drawn_material(
    clips: Sequence[Clip], folder: Path, *, changed: Mapping[str, Steps] | None = None
) -> SpeechMaterial:
    """Two tones of each clip, three hisses of a kind of each group; `changed` replaces those of some kinds or clips."""
    rng = np.random.default_rng(0)
    notes, waves = [], []
    for number, clip in enumerate(clips):
        for heard in (True, False):
            notes.append(PieceNote(f"{clip.corpus}/{clip.id}", clip.corpus, "animals", True, heard, SECONDS, SECONDS))
            waves.append(steps(speech(120.0 + 5 * (number % 5), seconds=SECONDS, seed=2 * number + heard)))
    for fold, kinds in {**FOLDS, NEVER: (SYNTHETIC,)}.items():
        for number in range(3):
            notes.append(PieceNote(f"{kinds[0]}/{number}", kinds[0], fold, False, True, SECONDS, SECONDS))
            waves.append(steps(rng.normal(scale=0.1, size=round(SECONDS * RATE))))
    for row, note in enumerate(notes):
        for name in (note.sound, note.kind):
            if name in (changed or {}):
                waves[row] = (changed or {})[name]
    return SpeechMaterial(notes, lambda: waves, "drawn", folder)


def steps(samples: np.ndarray) -> Steps:
    found: Steps = (32767 * np.clip(samples, -1, 1)).astype(np.int16)
    return found
