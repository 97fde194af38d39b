"""Read folders of noises and of room impulse responses into memory."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
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
"""Length kept of a noise in seconds, and largest number of noises: together 179 MB."""

RESPONSE_SECONDS, MOST_RESPONSES = 0.75, 300
"""Length kept of a response after its direct sound in seconds, and largest number of responses: together 14 MB."""

_BEFORE_DIRECT = 80
"""Samples kept of a response before its direct sound: 5 ms."""

_SILENCE_DB = 50.0
"""Threshold of silence in a noise in dB below its loudest frame: padding, or the pause between two barks."""

_NAMED = 3
"""Number of files that a message names."""


@dataclass(frozen=True, eq=False)
class Recordings:
    """The usable recordings of a folder.

    `samples` are arrays of shape [n], float32 at 16 kHz. `skipped` has a reason for every file that cannot be used.
    `fingerprint` is a hash of the relative names and sizes of the used files; the path of the folder does not matter.
    """

    samples: tuple[Samples, ...]
    skipped: tuple[str, ...]
    fingerprint: str


def read_noises(folder: Path) -> Recordings:
    """Read the first 5 s of every noise in a folder, without silence.

    The folder may have any layout: MUSAN's `noise/free-sound/…`, one folder per class, or plain files. Folders named
    "rirs" or "…_rirs" are left out, since impulse responses are not noises. Of more than 560 files every k-th is read,
    in the order of their names.

    Args:
        folder: folder with audio files at any depth.

    Returns:
        Noises of up to 5 s, shape [n] each, peak at most 1, none silent.

    Raises:
        RecipeError: the folder does not exist, has no audio, or has no usable audio.

    Warns:
        UserWarning: some files cannot be used; the message has their number and names.
    """
    chosen = [path for path in _files(folder, "noises") if not _holds_responses(path.relative_to(folder))]
    return _read(folder, chosen, _noise, most=MOST_NOISES, what="noises")


def read_sounds(folder: Path, patterns: Sequence[str], *, most: int = MOST_NOISES) -> Recordings:
    """Read some of the noises of a folder, as `read_noises` does.

    Args:
        folder: folder with audio files at any depth.
        patterns: globs of paths relative to the folder; a file that one of them matches is read.
        most: of more files every k-th is read.

    Raises:
        RecipeError: the folder has no such file that can be used.
    """
    files = [path for path in _files(folder, "noises") if any(path.relative_to(folder).match(one) for one in patterns)]
    return _read(folder, files, _noise, most=most, what=f"sounds called {' or '.join(patterns)}")


def read_responses(folder: Path) -> Recordings:
    """Read room impulse responses: the first channel, from 5 ms before the direct sound to 0.75 s after it.

    Args:
        folder: folder with audio files at any depth; of more than 300 every k-th is read, in the order of their names.

    Returns:
        Responses of up to 0.755 s, shape [n] each, none silent.

    Raises:
        RecipeError: the folder does not exist, has no audio, or has no usable audio.

    Warns:
        UserWarning: some files cannot be used; the message has their number and names.
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
    """Raise an error if no recording is usable; warn if some are not."""
    rest = f"; and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    reasons = "; ".join(skipped[:_NAMED]) + rest
    if not n_usable:
        reason = reasons or "all are in folders of impulse responses"
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
    """Return the first `seconds` of a recording, shape [n]; the rest is not decoded."""
    most, n, blocks = round(seconds * RATE), 0, []
    with open_audio(path, sample_rate=RATE, channels=channels, block_seconds=1.0) as reader:
        for block in reader.blocks():
            blocks.append(block[0])
            n += len(block[0])
            if n >= most:
                break
    return np.concatenate(blocks)[:most]
