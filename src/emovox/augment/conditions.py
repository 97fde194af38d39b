"""Test conditions that change the sound: what each does to a clip. Words for tables: `schema.figure.CONDITIONS`."""

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
"""Folder of the noises that tests add. Training must draw from another folder, or the noise is a familiar one."""

TELEPHONE_RATE = 8000
"""Hz; nothing above 4 kHz is left."""

Change = Callable[[Samples, int, np.random.Generator], Samples]
"""Takes samples [n] float32 in [-1, 1], their rate in Hz, and a generator for all draws; returns [m] at that rate."""


@dataclass(frozen=True)
class Noisy:
    """Put a noise of `source` behind the clip, `snr_db` below it, from a random place in the noise."""

    snr_db: float
    source: str = TEST_NOISE

    def __call__(self, samples: Samples, rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG002
        """Change a clip; see `Change`."""
        noises = self.recordings.samples
        noise = noises[int(rng.integers(len(noises)))]
        return at_snr(samples, np.roll(noise, -int(rng.integers(len(noise)))), self.snr_db)

    @property
    def folder(self) -> Path:
        """The folder of the noises.

        Raises:
            RecipeError: it is named by a variable that is not set.
        """
        path = os.path.expandvars(self.source)
        if "$" in path:
            raise RecipeError(f"conditions: noises lie in {self.source}; set the variable to the folder of noises")
        return Path(path)

    @property
    def recordings(self) -> Recordings:
        """The noises, read once a process."""
        return _noises(self.folder)


@cache
def _noises(folder: Path) -> Recordings:
    return read_noises(folder)


def narrow(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    """Resample to 8 kHz and back: the band of a telephone."""
    there = np.asarray(soxr.resample(samples, rate, TELEPHONE_RATE), np.float32)
    return np.asarray(soxr.resample(there, TELEPHONE_RATE, rate), np.float32)


def phone(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    """Send the clip through G.711 at 8 kHz: the band and the noise of a telephone line."""
    return through_g711(samples, rate)


CHANGES: Mapping[str, Change] = {
    NARROW: narrow,
    "phone": phone,
    **{f"noise-{snr}": Noisy(snr) for snr in (20, 10)},
}
"""Condition → what it does to a clip, before voice activity detection hears it. A new one is an entry here and its
words in `schema.figure.CONDITIONS`."""

ON_TILES = frozenset({NARROW})
"""Conditions that change the tiles after they were cut from the clip as it is; published figures were made so."""


def check_conditions(names: tuple[str, ...], *, learnt: Path | None) -> None:
    """Refuse conditions that there are not, and noises that training may have drawn.

    Args:
        names: of conditions.
        learnt: the folder that training draws its noises from; None: it adds none.

    Raises:
        RecipeError: see above; or the noises of a condition cannot be read.
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
                f"conditions has '{name}', whose noises lie in {test}, and training draws from {learnt}; expected "
                "folders apart: name another by augment.noise.source"
            )


def fingerprint(name: str) -> str:
    """Return what a condition depends on beside its name: equal ones change a clip alike."""
    change = CHANGES[name]
    return change.recordings.fingerprint if isinstance(change, Noisy) else ""
