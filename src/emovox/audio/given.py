"""What callers of the Python interface give, in the plain forms that the rest of this package works with."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from emovox.audio.types import MAX_RATE, AudioInput, ChannelChoice, parse_channels
from emovox.schema.arguments import whole
from emovox.schema.errors import AudioError, ConfigError


def plain_source(source: Any) -> AudioInput:
    """Return a source as a path, bytes, an open file, or (array, rate).

    A `soundfile.SoundFile` becomes the path of its file, or its samples where it has none; it is not closed, and its
    position is kept. Bytes of any type become bytes. Tensors become arrays, also those with gradients. Anything else
    is returned unchanged.

    Raises:
        AudioError: samples or rate cannot be understood.
    """
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if isinstance(source, tuple) and len(source) == 2:
        return as_array(source[0]), _rate(source[1])
    soundfile = sys.modules.get("soundfile")  # without it, nobody has such an object
    if soundfile is not None and isinstance(source, soundfile.SoundFile):
        return _of_sound_file(source)
    return source  # type: ignore[no-any-return]


def as_array(samples: Any) -> npt.NDArray[np.generic]:
    """Return samples as an array; a tensor may have gradients, be on another device or in bfloat16.

    Raises:
        AudioError: they are no array.
    """
    try:
        if callable(getattr(samples, "detach", None)):
            samples = samples.detach().cpu()
            samples = samples.float() if samples.is_floating_point() else samples
        return np.asarray(samples)
    except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise AudioError(
            f"<samples>: got samples that are no array ({reason}), expected [n] or [channels, n]"
        ) from error


def _rate(rate: Any) -> int:
    try:
        return whole(rate, "sample rate")
    except ConfigError as error:
        raise AudioError(
            f"<samples>: got sample rate {rate!r:.60}, expected a whole number of Hz from 1 to {MAX_RATE}"
        ) from error


def plain_channels(channels: Any) -> ChannelChoice:
    """Return a choice of channels as "mix", "split" or an int; what is none of them, as text for the reader's error.

    >>> plain_channels(np.int64(1)), plain_channels("1")
    (1, 1)
    """
    try:
        return parse_channels(channels) if isinstance(channels, str) else whole(channels, "channels")
    except (ValueError, ConfigError):  # the reader knows how many there are, and says so
        is_plain = channels is None or isinstance(channels, str | float | bool)
        return channels if is_plain else f"{channels!r:.60}"  # type: ignore[return-value]


def _of_sound_file(source: Any) -> AudioInput:
    name = source.name
    if isinstance(name, str | os.PathLike) and os.path.isfile(name) and source.format != "RAW":
        return name
    try:  # soundfile's own errors are RuntimeErrors
        position = source.tell()
        source.seek(0)
        samples = source.read(dtype="float32", always_2d=True).T
        source.seek(position)
    except (RuntimeError, OSError) as error:
        raise AudioError(f"got a SoundFile that cannot be read ({error}), expected one opened for reading") from error
    return samples, source.samplerate
