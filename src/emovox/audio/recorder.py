"""A recording that is written while it is made, and is a whole file whenever the process is stopped."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from emovox.audio.types import Samples
from emovox.schema.errors import ConfigError

FORMATS: Final = {".flac": "FLAC", ".wav": "WAV"}
"""Suffix → libsndfile's name."""

_STEPS = 2.0**15


class Recorder:
    """Writes 16-bit samples to a FLAC or WAV file under its own name, without holding anything back.

    A wav file is complete after every write; of a flac file that was cut off, the last quarter of a second is missing
    and its length is unknown. Both can be read. A recording without any sample is removed.

    Args:
        path: `.flac` or `.wav`.
        rate: of the samples, in Hz.
        channels: how many.
        overwrite: whether a file of this name may be replaced.

    Raises:
        ConfigError: another suffix, the file exists, or it cannot be made; nothing is left or lost then.
    """

    def __init__(self, path: Path, *, rate: int, channels: int, overwrite: bool = False) -> None:
        check_recording(path, overwrite=overwrite)
        check_format(path, rate=rate, channels=channels)
        self.path, self.written = path, 0
        is_new = not os.path.lexists(path)
        try:
            path.open("ab" if overwrite else "xb").close()  # "x": nobody made it since we looked
        except OSError as error:
            raise self._cannot(error) from error
        try:
            # By name, so that libsndfile writes by itself: a full disk is an error of its own then, and no callback's.
            self._file = _opened(os.fsencode(path), path, rate=rate, channels=channels)
        except (OSError, soundfile.LibsndfileError) as error:
            if is_new:
                with suppress(OSError):
                    path.unlink()
            raise self._cannot(error) from error

    def write(self, samples: Samples) -> Samples:
        """Write samples [channels, n] float32, and give them as they can be read again: in steps of 16 bits.

        Raises:
            ConfigError: the disk is full, or gone.
        """
        steps = np.clip(np.rint(samples * _STEPS), -_STEPS, _STEPS - 1).astype(np.int16)
        try:
            self._file.write(steps.T)
        except (OSError, soundfile.LibsndfileError) as error:
            raise self._cannot(error) from error
        self.written += samples.shape[1]
        readable: Samples = np.multiply(steps, np.float32(1 / _STEPS), dtype=np.float32)
        return readable

    def close(self) -> None:
        """Finish the file; once more does nothing.

        Raises:
            ConfigError: the last of it cannot be written.
        """
        if self._file.closed:
            return
        try:
            self._file.close()
        except (OSError, soundfile.LibsndfileError) as error:
            raise self._cannot(error) from error
        if not self.written:
            self.path.unlink(missing_ok=True)

    def _cannot(self, error: Exception) -> ConfigError:
        reason = getattr(error, "strerror", None) or error
        return ConfigError(
            f"{self.path}: cannot be written ({reason}); expected a path in an existing folder that you may write to, "
            "with room for it"
        )


def check_recording(path: Path, *, overwrite: bool) -> None:
    """Check the name of a recording before anything is heard.

    Raises:
        ConfigError: another suffix than `.flac` and `.wav`, or the file exists and may not be replaced.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"{path}: got '{path.suffix}', expected a recording named .flac or .wav")
    if os.path.lexists(path) and not overwrite:
        raise ConfigError(f"{path}: exists already; give another name, or --overwrite to lose what is in it")


def check_format(path: Path, *, rate: int, channels: int) -> None:
    """Check in memory what libsndfile makes of it, since it empties a file before it refuses.

    Raises:
        ConfigError: this format cannot hold so many channels, or this rate.
    """
    try:
        _opened(io.BytesIO(), path, rate=rate, channels=channels).close()
    except soundfile.LibsndfileError as error:
        raise ConfigError(
            f"{path}: got {channels} channels at {rate} Hz, which '{path.suffix}' cannot hold ({error.error_string}); "
            "expected at most 8 channels in .flac and 1024 in .wav; rename it, or take fewer channels"
        ) from error


def _opened(file: bytes | io.BytesIO, path: Path, *, rate: int, channels: int) -> soundfile.SoundFile:
    return soundfile.SoundFile(file, "w", rate, channels, subtype="PCM_16", format=FORMATS[path.suffix.lower()])
