"""Load the noises and room impulse responses of a recipe into memory."""

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
"""Environment variable with the folder of noises; its subfolder `rirs` has the impulse responses."""

_ROOMS_VERSION = "rooms 1"
"""Part of the fingerprint: change the number when the output of `simulate_rooms` changes."""


@dataclass(frozen=True, eq=False)
class Sources:
    """Noises, measured and simulated impulse responses: shape [n] each, float32 at 16 kHz; empty if not needed.

    Equal sources have an equal `fingerprint`, which is part of the keys of caches. `skipped` has a reason for every
    file that cannot be used.
    """

    noises: tuple[Samples, ...] = ()
    measured: tuple[Samples, ...] = ()
    simulated: tuple[Samples, ...] = ()
    fingerprint: str = ""
    skipped: tuple[str, ...] = ()


def load_sources(config: Augment) -> Sources:
    """Read noises and measured rooms and simulate rooms for a recipe; changes with probability 0 need none.

    It takes up to 195 MB and a few seconds for 500 noises, once per process.

    Args:
        config: the table [augment].

    Returns:
        Arrays of shape [n] each, float32 at 16 kHz.

    Raises:
        RecipeError: a value is out of range; a folder is missing, empty or without decodable audio; $EMOVOX_NOISE or
            another variable in `source` is not set.
        MissingExtraError: the recipe needs simulated rooms and pyroomacoustics is not installed.

    Warns:
        UserWarning: some files cannot be used; the message has their number and names.

    >>> load_sources(Augment())
    Sources(noises=(), measured=(), simulated=(), fingerprint='', skipped=())
    """
    check(config, where="augment")
    room = config.room
    folder = noise_folder(config)
    noises = None if folder is None else read_noises(folder)
    measured = read_responses(_folder(room.source, "rirs")) if room.probability and room.measured else None
    needs_rooms = room.probability > 0 and room.measured < 1
    read = [recordings for recordings in (noises, measured) if recordings]
    return Sources(
        noises=noises.samples if noises else (),
        measured=measured.samples if measured else (),
        simulated=simulate_rooms(room.rooms, shortest=room.shortest, longest=room.longest) if needs_rooms else (),
        fingerprint=_join([*(one.fingerprint for one in read), *([_rooms(room)] if needs_rooms else [])]),
        skipped=tuple(reason for one in read for reason in one.skipped),
    )


def noise_folder(config: Augment) -> Path | None:
    """Return the folder that training draws noises from; None where it adds none.

    Raises:
        RecipeError: the folder is named by a variable that is not set.
    """
    return _folder(config.noise.source, "") if config.noise.recorded else None


def _rooms(room: Room) -> str:
    return f"{_ROOMS_VERSION}: {room.rooms} {room.shortest} {room.longest}"


def _join(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest() if parts else ""


def _folder(source: str, below: str) -> Path:
    """Return the folder of a recipe with variables and ~ expanded; by default `below` in $EMOVOX_NOISE."""
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
