"""Folders of noises and of impulse responses, read once."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emovox.audio.files import audio_files
from emovox.audio.preprocess import trim_silence
from emovox.audio.reader import open_audio
from emovox.audio.types import ChannelChoice, Samples
from emovox.augment.bounds import RATE, bounded
from emovox.schema.errors import AudioError, MissingExtraError, RecipeError

NOISE_SECONDS, MOST_NOISES = 5.0, 560
"""What is kept of a noise, and how many: 179 MB."""

RESPONSE_SECONDS, MOST_RESPONSES = 0.75, 300
"""What is kept of a response after its direct sound, and how many: 14 MB."""

_BEFORE_DIRECT = 80
"""Samples, 5 ms, kept of a response before its direct sound."""

_SILENCE_DB = 50.0
"""Below the loudest frame of a noise: padding, or the pause between two barks."""

_NAMED = 3
"""Files that a message names."""


@dataclass(frozen=True, eq=False)
class Recordings:
    """What a folder held.

    `samples` [n] float32 at 16 kHz each; `skipped` says which files could not be used and why; `fingerprint` is a
    hash of the names below the folder and the sizes of the files that are used, wherever the folder lies.
    """

    samples: tuple[Samples, ...]
    skipped: tuple[str, ...]
    fingerprint: str


def read_noises(folder: Path) -> Recordings:
    """Read the first 5 s of every noise, without its silences.

    The folder may have any layout: MUSAN's `noise/free-sound/…`, one folder a class, or plain files. Folders named
    "rirs", or ending in "_rirs", are left out: a convolution kernel is no noise. Of more than 560 files every k-th is
    taken, by name.

    Args:
        folder: with audio files somewhere below it.

    Returns:
        Noises of up to 5 s, peak at most 1, none silent.

    Raises:
        RecipeError: no such folder, no audio in it, or none that can be used.

    Warns:
        UserWarning: some files cannot be used; counted and named.
    """
    chosen = [path for path in _files(folder, "noises") if not _holds_responses(path.relative_to(folder))]
    return _read(folder, chosen, _noise, most=MOST_NOISES, what="noises")


def read_responses(folder: Path) -> Recordings:
    """Read room impulse responses: the first channel, from 5 ms before the direct sound to 0.75 s after it.

    Args:
        folder: with audio files somewhere below it; of more than 300 every k-th is taken, by name.

    Returns:
        Responses of up to 0.755 s, none silent.

    Raises:
        RecipeError: no such folder, no audio in it, or none that can be used.

    Warns:
        UserWarning: some files cannot be used; counted and named.
    """
    return _read(folder, _files(folder, "impulse responses"), _response, most=MOST_RESPONSES, what="impulse responses")


def _files(folder: Path, what: str) -> list[Path]:
    if not folder.is_dir():
        raise RecipeError(f"{folder}: got no folder, expected one with {what}; name one in the recipe, or download it")
    try:
        return audio_files(folder)
    except AudioError as error:
        raise RecipeError(f"{folder}: got no {what} ({error})") from error


def _holds_responses(path: Path) -> bool:
    return any(part == "rirs" or part.endswith("_rirs") for part in map(str.lower, path.parts[:-1]))


def _read(folder: Path, files: list[Path], read: Callable[[Path], Samples], *, most: int, what: str) -> Recordings:
    chosen = sorted(files, key=lambda path: path.relative_to(folder).as_posix())[:: max(1, -(-len(files) // most))]
    usable: dict[Path, Samples] = {}
    skipped: list[str] = []
    for path in chosen:
        try:
            samples = read(path)
        except (AudioError, MissingExtraError) as error:
            skipped.append(str(error))
            continue
        if samples.any():
            usable[path] = samples
        else:
            skipped.append(f"{path.name}: silent")
    _report_skipped(folder, len(usable), skipped, what)
    return Recordings(tuple(usable.values()), tuple(skipped), _fingerprint(folder, usable))


def _report_skipped(folder: Path, n_usable: int, skipped: list[str], what: str) -> None:
    """Raise without any recording; warn about some that cannot be used."""
    rest = f"; and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    reasons = "; ".join(skipped[:_NAMED]) + rest
    if not n_usable:
        reason = reasons or "all lie in folders of impulse responses"
        raise RecipeError(
            f"{folder}: got no {what} that can be used, expected at least one ({reason}); name another folder"
        )
    if skipped:
        warnings.warn(
            f"{folder}: {len(skipped)} of {n_usable + len(skipped)} {what} cannot be used: {reasons}", stacklevel=4
        )


def _fingerprint(folder: Path, files: Iterable[Path]) -> str:
    lines = (f"{path.relative_to(folder).as_posix()}\t{os.path.getsize(path)}\n" for path in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _noise(path: Path) -> Samples:
    return bounded(trim_silence(_beginning(path, NOISE_SECONDS, channels="mix"), top_db=_SILENCE_DB))


def _response(path: Path) -> Samples:
    samples = _beginning(path, 10.0, channels=0)
    direct = int(np.abs(samples).argmax())
    return bounded(samples[max(0, direct - _BEFORE_DIRECT) : direct + round(RESPONSE_SECONDS * RATE)])


def _beginning(path: Path, seconds: float, *, channels: ChannelChoice) -> Samples:
    """The first so many seconds, [n]; what follows is not decoded."""
    most, n, blocks = round(seconds * RATE), 0, []
    with open_audio(path, sample_rate=RATE, channels=channels, block_seconds=1.0) as reader:
        for block in reader.blocks():
            blocks.append(block[0])
            n += len(block[0])
            if n >= most:
                break
    return np.concatenate(blocks)[:most]
