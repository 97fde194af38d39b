"""Write a recording while it is made; the file is readable whenever the process stops."""

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
"""Suffix → libsndfile's name of the format."""

_STEPS = 2.0**15
"""Steps of 16-bit audio between 0 and full scale."""


class Recorder:
    """Writes 16-bit samples to a FLAC or WAV file at its final path, without a buffer.

    A wav file is complete after every write. A flac file that was cut off lacks the last quarter of a second, and its
    length is unknown. Both can be read. A recording without samples is removed.

    Args:
        path: file with the suffix `.flac` or `.wav`.
        rate: sample rate in Hz.
        channels: number of channels.
        overwrite: whether to replace an existing file.

    Raises:
        ConfigError: another suffix, the file exists, or it cannot be created; an existing file is then unchanged.
    """

    def __init__(self, path: Path, *, rate: int, channels: int, overwrite: bool = False) -> None:
        check_recording(path, overwrite=overwrite)
        check_format(path, rate=rate, channels=channels)
        self.path, self.written = path, 0
        is_new = not os.path.lexists(path)
        try:
            path.open("ab" if overwrite else "xb").close()  # "x" fails if the file was created since the check
        except OSError as error:
            raise self._cannot(error) from error
        try:
            # By name: libsndfile then writes the file itself and reports a full disk, which a Python callback cannot.
            self._file = _opened(os.fsencode(path), path, rate=rate, channels=channels)
        except (OSError, soundfile.LibsndfileError) as error:
            if is_new:
                with suppress(OSError):
                    path.unlink()
            raise self._cannot(error) from error

    def write(self, samples: Samples) -> Samples:
        """Write samples, and return them as a reader of the file gets them: in steps of 16 bits.

        Args:
            samples: shape [channels, n], float32.

        Returns:
            Shape [channels, n], float32 in [-1, 1).

        Raises:
            ConfigError: the disk is full or not available.
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
        """Finish the file; a second call does nothing.

        Raises:
            ConfigError: the last samples cannot be written.
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
    """Check the path of a recording before any audio is captured.

    Raises:
        ConfigError: the suffix is not `.flac` or `.wav`, or the file exists and `overwrite` is false.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"{path}: got '{path.suffix}', expected a recording named .flac or .wav")
    if os.path.lexists(path) and not overwrite:
        raise ConfigError(f"{path}: exists already; give another name, or --overwrite to replace it")


def check_format(path: Path, *, rate: int, channels: int) -> None:
    """Check rate and channels by opening a file in memory, since libsndfile empties a file before it refuses.

    Args:
        path: its suffix is the format.
        rate: sample rate in Hz.
        channels: number of channels.

    Raises:
        ConfigError: the format does not support this number of channels or this rate.
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
