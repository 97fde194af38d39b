"""Test conditions that change the sound of a clip; `schema.figure.CONDITIONS` has their words for tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soxr

from emovox.audio.types import Samples
from emovox.augment.codec import through_g711
from emovox.augment.noise import at_snr
from emovox.augment.recordings import Recordings, read_noises
from emovox.schema.errors import RecipeError

NARROW = "narrow"

TEST_NOISE = "$EMOVOX_NOISE/nonspeech100"
"""Folder of the noises of test conditions. Training must use another folder, since a known noise is easier."""

TELEPHONE_RATE = 8000
"""Sample rate of telephone speech in Hz; no energy above 4 kHz is left."""

Change = Callable[[Samples, int, np.random.Generator], Samples]
"""Change of a clip: (samples of shape [n], float32 in [-1, 1], rate in Hz, generator) → shape [m] at the same rate."""


@dataclass(frozen=True)
class Noisy:
    """Adds a noise of the folder `source`, from a random position in it, `snr_db` dB below the clip."""

    snr_db: float
    source: str = TEST_NOISE

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
        path = os.path.expandvars(self.source)
        if "$" in path:
            raise RecipeError(f"conditions: the noises are in {self.source}; set the variable to the folder of noises")
        return Path(path)

    @property
    def recordings(self) -> Recordings:
        """The noises, read once per process."""
        return _noises(self.folder)


@cache
def _noises(folder: Path) -> Recordings:
    return read_noises(folder)


def narrow(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    """Resample to 8 kHz and back, the band of a telephone; samples and result have shape [n]."""
    narrowband = np.asarray(soxr.resample(samples, rate, TELEPHONE_RATE), np.float32)
    return np.asarray(soxr.resample(narrowband, TELEPHONE_RATE, rate), np.float32)


def phone(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    """Apply G.711 at 8 kHz, the band and the noise of a telephone line; samples and result have shape [n]."""
    return through_g711(samples, rate)


CHANGES: Mapping[str, Change] = {
    NARROW: narrow,
    "phone": phone,
    **{f"noise-{snr}": Noisy(snr) for snr in (20, 10)},
}
"""Condition → change of the clip before voice activity detection. A new condition is an entry here and its words in
`schema.figure.CONDITIONS`."""

ON_TILES = frozenset({NARROW})
"""Conditions that change the tiles, after they are cut from the unchanged clip, as in the published figures."""


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
    return change.recordings.fingerprint if isinstance(change, Noisy) else ""
