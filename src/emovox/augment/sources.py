"""The noises and rooms that a recipe asks for, in memory."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from emovox.audio.types import Samples
from emovox.augment.config import Augment, Room, check
from emovox.augment.recordings import read_noises, read_responses
from emovox.augment.room import simulate_rooms
from emovox.schema.errors import RecipeError

VARIABLE = "EMOVOX_NOISE"
"""Environment variable with the folder of noises; impulse responses lie in `rirs` below it."""

_ROOMS_VERSION = "rooms 1"
"""In the fingerprint; another number when `simulate_rooms` makes others."""


@dataclass(frozen=True, eq=False)
class Sources:
    """What is added to clips: samples [n] float32 at 16 kHz each; empty where the recipe does not ask for it.

    `fingerprint` is equal where all these are: part of the key of anything that is cached. `skipped` says which files
    could not be used.
    """

    noises: tuple[Samples, ...] = ()
    measured: tuple[Samples, ...] = ()
    simulated: tuple[Samples, ...] = ()
    fingerprint: str = ""
    skipped: tuple[str, ...] = ()


def load_sources(config: Augment) -> Sources:
    """Read and simulate what a recipe can draw from; what has probability 0 is not touched.

    Takes up to 195 MB and, for 500 noises, a few seconds: once a process.

    Args:
        config: the table [augment].

    Raises:
        RecipeError: a value out of range; a folder that is missing, empty or without anything that can be decoded;
            $EMOVOX_NOISE or another variable in `source` is not set.
        MissingExtraError: simulated rooms are wanted and pyroomacoustics is not installed.

    Warns:
        UserWarning: some files cannot be used; counted and named.

    >>> load_sources(Augment())
    Sources(noises=(), measured=(), simulated=(), fingerprint='', skipped=())
    """
    check(config, where="augment")
    room = config.room
    folder = noise_folder(config)
    noises = None if folder is None else read_noises(folder)
    measured = read_responses(_folder(room.source, "rirs")) if room.probability and room.measured else None
    invented = room.probability > 0 and room.measured < 1
    read = [recordings for recordings in (noises, measured) if recordings]
    return Sources(
        noises=noises.samples if noises else (),
        measured=measured.samples if measured else (),
        simulated=simulate_rooms(room.rooms, shortest=room.shortest, longest=room.longest) if invented else (),
        fingerprint=_join([*(one.fingerprint for one in read), *([_rooms(room)] if invented else [])]),
        skipped=tuple(reason for one in read for reason in one.skipped),
    )


def noise_folder(config: Augment) -> Path | None:
    """Return the folder that training draws noises from; None where it adds none.

    Raises:
        RecipeError: the folder is named by a variable that is not set.
    """
    return _folder(config.noise.source, "") if config.noise.probability else None


def _rooms(room: Room) -> str:
    return f"{_ROOMS_VERSION}: {room.rooms} {room.shortest} {room.longest}"


def _join(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest() if parts else ""


def _folder(source: str, below: str) -> Path:
    """The folder that a recipe names, variables and ~ replaced; empty is the one of the environment."""
    given = source or f"${VARIABLE}/{below}"
    path = os.path.expanduser(os.path.expandvars(given))
    if "$" in path:
        raise RecipeError(
            f"augment: got the folder '{given}' with a variable that is not set, expected a folder; "
            f"set {_unset(path)}, or name the folder in noise.source or room.source"
        )
    return Path(path)


def _unset(path: str) -> str:
    match = re.search(r"\$\{?(\w+)", path)
    return match[1] if match else "it"
