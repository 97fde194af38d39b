"""Test conditions that change the sound of a clip; `schema.figure.CONDITIONS` has their words for tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import soxr

from emovox.audio.types import Samples
from emovox.augment.bounds import power
from emovox.augment.changes import (
    as_mp3,
    as_opus,
    bad_line,
    banded,
    clipped,
    coloured,
    cropped,
    faded,
    in_simulated_room,
    padded,
    passed,
    tilted,
    with_gain,
    with_tone,
)
from emovox.augment.codec import through_g711
from emovox.augment.config import SHORTEST_DECAY
from emovox.augment.noise import at_snr
from emovox.augment.recordings import MOST_NOISES, Recordings, read_noises, read_responses, read_sounds
from emovox.augment.room import in_room
from emovox.schema.errors import RecipeError

NARROW = "narrow"

TEST_NOISE = "$EMOVOX_NOISE/nonspeech100"
"""Folder of the noises of test conditions. Training must use another folder, since a known noise is easier."""

TELEPHONE_RATE = 8000
"""Sample rate of telephone speech in Hz; no energy above 4 kHz is left."""

MOST_VOICES = 120
"""Voices that babble is mixed from."""

Change = Callable[[Samples, int, np.random.Generator], Samples]
"""Change of a clip: (samples of shape [n], float32 in [-1, 1], rate in Hz, generator) → shape [m] at the same rate."""


@dataclass(frozen=True)
class Noisy:
    """Adds a noise of the folder `source`, from a random position in it, `snr_db` dB below the clip.

    `files` are globs within the folder; without any, all files are noises.
    """

    snr_db: float
    source: str = TEST_NOISE
    files: tuple[str, ...] = ()

    def __call__(self, samples: Samples, rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG002
        """Add a noise to samples of shape [n], float32; returns shape [n]."""
        noises = self.recordings.samples
        noise = noises[int(rng.integers(len(noises)))]
        return at_snr(samples, np.roll(noise, -int(rng.integers(len(noise)))), self.snr_db)

    @property
    def folder(self) -> Path:
        """The folder of the noises, with variables expanded.

        Raises:
            RecipeError: a variable in `source` is not set.
        """
        return _expanded(self.source, "noises")

    @property
    def recordings(self) -> Recordings:
        """The noises, read once per process."""
        return _sounds(self.folder, self.files) if self.files else _noises(self.folder)


@dataclass(frozen=True)
class Babble:
    """Adds 4 to 7 voices of the folder `source`, from random positions, together `snr_db` dB below the clip."""

    snr_db: float
    source: str = "$EMOVOX_CORPORA"

    def __call__(self, samples: Samples, rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG002
        """Add the voices to samples of shape [n], float32; returns shape [n]."""
        voices = self.recordings.samples
        babble = np.zeros(len(samples), np.float32)
        for _ in range(int(rng.integers(4, 8))):
            voice = voices[int(rng.integers(len(voices)))]
            moved = np.resize(np.roll(voice, -int(rng.integers(len(voice)))), len(samples))
            babble += moved / np.float32(max(power(moved), 1e-12) ** 0.5)
        return at_snr(samples, babble, self.snr_db)

    @property
    def folder(self) -> Path:
        """The folder of the voices, with variables expanded.

        Raises:
            RecipeError: a variable in `source` is not set.
        """
        return _expanded(self.source, "voices")

    @property
    def recordings(self) -> Recordings:
        """Some voices, read once per process."""
        return _sounds(self.folder, ("*",), MOST_VOICES)


@dataclass(frozen=True)
class MeasuredRoom:
    """Convolves with a measured room of the folder `source`."""

    source: str = "$EMOVOX_NOISE/rirs"

    def __call__(self, samples: Samples, rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG002
        """Return samples of shape [n] in the room."""
        responses = self.recordings.samples
        return in_room(samples, responses[int(rng.integers(len(responses)))])

    @property
    def folder(self) -> Path:
        """The folder of the impulse responses, with variables expanded.

        Raises:
            RecipeError: a variable in `source` is not set.
        """
        return _expanded(self.source, "impulse responses")

    @property
    def recordings(self) -> Recordings:
        """The responses, read once per process."""
        return _responses(self.folder)


def _expanded(source: str, what: str) -> Path:
    path = os.path.expandvars(source)
    if "$" in path:
        raise RecipeError(f"conditions: the {what} are in {source}; set the variable to the folder of {what}")
    return Path(path)


@cache
def _noises(folder: Path) -> Recordings:
    return read_noises(folder)


@cache
def _sounds(folder: Path, files: tuple[str, ...], most: int = MOST_NOISES) -> Recordings:
    return read_sounds(folder, files, most=most)


@cache
def _responses(folder: Path) -> Recordings:
    return read_responses(folder)


NEEDS_RECORDINGS = (Noisy, Babble, MeasuredRoom)
"""Changes that need recordings."""


def narrow(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    """Resample to 8 kHz and back, the band of a telephone; samples and result have shape [n]."""
    narrowband = np.asarray(soxr.resample(samples, rate, TELEPHONE_RATE), np.float32)
    return np.asarray(soxr.resample(narrowband, TELEPHONE_RATE, rate), np.float32)


def phone(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    """Apply G.711 at 8 kHz, the band and the noise of a telephone line; samples and result have shape [n]."""
    return through_g711(samples, rate)


NOISE_FILES: Mapping[str, tuple[str, ...]] = {
    "machine": ("n1[89].*", "n2[0-9].*"),
    "alarm": ("n3[0-9].*", "n4[0-3].*"),
    "traffic": ("n4[4-6].*",),
    "animal": ("n4[7-9].*", "n5[0-5].*"),
    "water": ("n5[6-9].*", "n6[0-9].*"),
    "wind": ("n7[0-8].*",),
    "bell": ("n79.*", "n8[0-2].*"),
    "cough": ("n8[3-5].*",),
}
"""Kind of noise → its files in the folder nonspeech100, by the list that its authors publish."""

SNEEZES = Noisy(10, "$EMOVOX_NOISE/esc10", ("*sneeze*/*",))
MUSIC = "$EMOVOX_NOISE/music"
"""Folder of music, as in MUSAN."""

_ROOMS = {"short": (SHORTEST_DECAY, 0.5), "medium": (0.5, 1.0), "long": (1.0, 1.5)}
"""RobuSER's rooms: decay by 60 dB in seconds."""

CHANGES: Mapping[str, Change] = {
    NARROW: narrow,
    "phone": phone,
    **{f"noise-{snr}": Noisy(snr) for snr in (20, 10, 0)},
    **{f"white-{snr}": partial(coloured, snr_db=snr, exponent=0) for snr in (45, 40, 35, 30, 20, 10)},
    **{f"pink-{snr}": partial(coloured, snr_db=snr, exponent=1) for snr in (20, 10)},
    **{
        f"{kind}-{snr}": Noisy(snr, files=NOISE_FILES[kind])
        for kind in ("machine", "water", "wind")
        for snr in (20, 10)
    },
    "cough-10": Noisy(10, files=NOISE_FILES["cough"]),
    "sneeze-10": SNEEZES,
    **{f"babble-{snr}": Babble(snr) for snr in (20, 10)},
    **{f"music-{snr}": Noisy(snr, MUSIC) for snr in (20, 10)},
    "room-measured": MeasuredRoom(),
    **{
        f"room-{name}": partial(in_simulated_room, shortest=shortest, longest=longest)
        for name, (shortest, longest) in _ROOMS.items()
    },
    "phone-band": banded,
    "phone-low": bad_line,
    **{f"mp3-{kbits}": partial(as_mp3, kbits=kbits) for kbits in (32, 16, 8)},
    "opus": as_opus,
    **{f"gain-up-{db}": partial(with_gain, db=db) for db in (1, 2, 6)},
    **{f"gain-down-{db}": partial(with_gain, db=-db) for db in (1, 2, 12)},
    **{f"fade-{db}": partial(faded, low_db=-db, high_db=high) for db, high in ((20, 0), (30, -10), (40, -20))},
    **{f"clip-{percent}": partial(clipped, percent=percent) for percent in (0.1, 0.2, 0.3, 20, 40, 60)},
    **{f"highpass-{hertz}": partial(passed, lowest=hertz) for hertz in (50, 100, 150, 300)},
    **{f"lowpass-{hertz}": partial(passed, highest=hertz) for hertz in (7500, 7000, 6500)},
    "tilt-up": partial(tilted, db=3),
    "tilt-down": partial(tilted, db=-3),
    **{f"tone-{snr}": partial(with_tone, snr_db=snr) for snr in (50, 45, 40)},
    **{f"pad-before-{n}": partial(padded, before=n) for n in (100, 500, 1000)},
    **{f"pad-after-{n}": partial(padded, after=n) for n in (100, 500, 1000)},
    **{f"crop-before-{n}": partial(cropped, before=n) for n in (100, 500, 1000)},
    **{f"crop-after-{n}": partial(cropped, after=n) for n in (100, 500, 1000)},
}
"""Condition → change of the clip before voice activity detection. A new condition is an entry here and its words in
`schema.figure.CONDITIONS`."""


def check_conditions(names: tuple[str, ...], *, learnt: Path | None) -> None:
    """Raise an error for unknown conditions, and for test noises that training may use.

    Args:
        names: names of conditions.
        learnt: folder of the noises in training; None if training adds none.

    Raises:
        RecipeError: a condition is unknown, or its noises are in the training folder, or cannot be found.
    """
    for name in names:
        change = CHANGES.get(name)
        if change is None:
            raise RecipeError(f"conditions has '{name}', expected some of {', '.join(CHANGES)}")
        if not isinstance(change, Noisy):
            continue
        test = change.folder.resolve()
        if learnt is not None and (test.is_relative_to(learnt.resolve()) or learnt.resolve().is_relative_to(test)):
            raise RecipeError(
                f"conditions has '{name}', whose noises are in {test}, and training uses {learnt}; expected "
                "separate folders: name another in augment.noise.source"
            )


def fingerprint(name: str) -> str:
    """Return the part of a cache key beyond the name of a condition: equal fingerprints mean equal changes."""
    change = CHANGES[name]
    return change.recordings.fingerprint if isinstance(change, NEEDS_RECORDINGS) else ""
