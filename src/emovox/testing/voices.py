"""Generated voices that act emotions: for tutorials and tests, where no corpus is at hand.

They are not speech, so a model that learns from them is of no use on people. But they pose the problem of real corpora:
emotions differ in pitch, level, tempo and colour, and each speaker acts them a little differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from emovox.audio.types import Samples
from emovox.schema.errors import ConfigError
from emovox.schema.labels import EMOTIONS
from emovox.testing.sounds import RATE, speech


class Manner(NamedTuple):
    """How an emotion is acted, relative to the neutral voice.

    Attributes:
        pitch: change of the mean pitch in semitones.
        glide: largest deviation of the pitch, as a share of it.
        level: change of the level in dB.
        tempo: syllables per second.
        colour: factor of the formants.
        breath: standard deviation of the noise in the voice.
    """

    pitch: float
    glide: float
    level: float
    tempo: float
    colour: float
    breath: float


MANNERS: Mapping[str, Manner] = {
    "neutral": Manner(0.0, 0.06, 0.0, 4.0, 1.0, 2e-4),
    "happy": Manner(3.5, 0.22, 3.0, 5.0, 1.1, 2e-4),
    "sad": Manner(-1.5, 0.05, -7.0, 2.8, 0.94, 8e-4),
    "angry": Manner(4.0, 0.14, 8.0, 5.4, 1.04, 4e-4),
    "fear": Manner(6.5, 0.09, -2.0, 6.0, 1.08, 1e-3),
    "disgust": Manner(-2.5, 0.14, 1.0, 3.3, 0.88, 4e-4),
    "surprise": Manner(7.5, 0.32, 4.0, 4.4, 1.14, 4e-4),
}
"""Emotion → manner, of the seven emotions."""

_PITCHES = 112.0, 205.0
"""Mean pitch in Hz of speakers with odd and even numbers."""

_FORMANTS = np.array([600.0, 1500.0, 2500.0])
_LEVEL, _DEPTH = 0.12, 0.75
_OWN = Manner(2.0, 0.35, 3.0, 0.14, 0.05, 0.5)
"""Standard deviations of what a speaker adds to the manner of each emotion; of glide, tempo, colour, breath: shares."""

_TAKE = 0.35
"""Deviation between takes, as a share of that between speakers."""


def acted(label: str, speaker: int, *, take: int = 0, seconds: float = 1.5) -> Samples:
    """Return a generated voice that acts an emotion.

    Args:
        label: one of `MANNERS`.
        speaker: number of the speaker, >= 1; each has a pitch, formants, and a manner of each emotion.
        take: number of the recording, >= 0; takes of a speaker differ a little.
        seconds: length, > 0.

    Returns:
        [n] float32 at `RATE`, in [-1, 1]. The same arguments give the same samples.

    Raises:
        ConfigError: the label is not in `MANNERS`.
    """
    if label not in MANNERS:
        raise ConfigError(f"got the label {label!r}, expected one of {', '.join(MANNERS)}; choose one of these")
    number = list(MANNERS).index(label)
    person = np.random.default_rng(speaker)
    mean_pitch, size = _PITCHES[1 - speaker % 2] * 2 ** (person.normal(0, 1.5) / 12), person.normal(1.0, 0.04)
    own = np.random.default_rng([speaker, number]).standard_normal(6)
    now = np.random.default_rng([speaker, number, take]).standard_normal(6)
    pitch, glide, level, tempo, colour, breath = (own + _TAKE * now) * _OWN
    manner = MANNERS[label]
    samples = speech(
        mean_pitch * 2 ** ((manner.pitch + pitch) / 12),
        seconds=seconds,
        level=_LEVEL * 10 ** ((manner.level + level) / 20),
        glide=manner.glide * float(np.exp(glide)),
        formants=(_FORMANTS * size * manner.colour * np.exp(colour)).tolist(),
        tempo=manner.tempo * float(np.exp(tempo)),
        depth=_DEPTH,
        noise=manner.breath * float(np.exp(breath)),
        seed=1000 * speaker + take,
    )
    return np.clip(samples, -1, 1)


def write_voices(
    folder: str | Path, *, labels: Sequence[str] = EMOTIONS, speakers: int = 6, takes: int = 4, seconds: float = 1.5
) -> Path:
    """Write generated voices as `LABEL/SPEAKER/TAKE.wav`, a folder that `emovox train --data` takes.

    Args:
        folder: is made if it is missing.
        labels: of `MANNERS`.
        speakers: number of speakers, named s01, s02 and so on.
        takes: recordings of each label by each speaker.
        seconds: length of a recording, > 0.

    Returns:
        The folder.

    Raises:
        ConfigError: a label is not in `MANNERS`.
    """
    root = Path(folder)
    for label in labels:
        for speaker in range(1, speakers + 1):
            place = root / label / f"s{speaker:02d}"
            for take in range(takes):
                samples = acted(label, speaker, take=take, seconds=seconds)
                place.mkdir(parents=True, exist_ok=True)
                soundfile.write(place / f"{take + 1}.wav", samples, RATE)
    return root
