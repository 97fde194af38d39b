"""Samples without a file around them: arrays, and bare samples in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from emovox.audio.encodings import WIDTHS, decode
from emovox.audio.types import MAX_RATE, RawFormat, Samples
from emovox.audio.view import FileView
from emovox.schema.errors import AudioError, EmptyAudioError
from emovox.schema.result import Notice

MAX_CHANNELS = 32
"""Most channels of an array; one with more rows is not taken for [channels, n]."""


class ArrayDecoder:
    """A decoder for an array of samples.

    Integers are scaled to [-1, 1) by their type: int16 and int32 by their full scale, uint8 around 128. int64 is
    refused: it has no full scale in audio, and such samples are usually int16.

    Args:
        source: samples of shape [n] or [channels, n], and their rate in Hz. [n, channels] is accepted if it is
            unambiguous: more than `MAX_CHANNELS` rows and at most `MAX_CHANNELS` columns. An array with fewer rows
            and still more rows than columns is ambiguous, and an error.
        name: name of the recording in messages.

    Raises:
        AudioError: the shape, the type or the rate is not valid.
        EmptyAudioError: the array has 0 samples.
    """

    frames: int | None
    damage: str | None = None
    notices: tuple[Notice, ...] = ()
    is_exact = True
    share = 1.0

    def __init__(self, source: tuple[npt.NDArray[np.generic], int], *, name: str) -> None:
        samples, rate = _pair(source, name=name)
        self._samples = _channels_first(samples, name=name)
        if not _is_rate(rate):
            raise AudioError(f"{name}: got sample rate {rate!r}, expected a whole number of Hz from 1 to {MAX_RATE}")
        to_float(self._samples[:, :0], name=name)
        self.rate = int(rate)
        self.channels, self.frames = self._samples.shape

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [channels, n], float32, n <= `frames`: views of the array if it is float32."""
        for start in range(0, self._samples.shape[1], frames):
            yield to_float(self._samples[:, start : start + frames], name="")

    def close(self) -> None:
        """Do nothing: an array needs no release."""


def _pair(source: tuple[Any, ...], *, name: str) -> tuple[npt.NDArray[np.generic], Any]:
    if len(source) != 2:
        raise AudioError(f"{name}: got a tuple of {len(source)}, expected (samples, sample rate)")
    try:
        return np.asarray(source[0]), source[1]
    except ValueError as error:
        raise AudioError(f"{name}: got samples that are no array ({error}), expected [n] or [channels, n]") from error


def _is_rate(rate: Any) -> bool:
    try:
        return bool(1 <= rate <= MAX_RATE and rate % 1 == 0)
    except TypeError:
        return False


def _channels_first(samples: npt.NDArray[np.generic], *, name: str) -> npt.NDArray[np.generic]:
    if samples.ndim == 1:
        samples = samples[np.newaxis]
    if samples.size == 0:
        raise EmptyAudioError(f"{name}: got 0 samples (shape {samples.shape}), expected at least one")
    if samples.ndim == 2:
        rows, columns = samples.shape
        if rows <= MAX_CHANNELS and rows <= columns:
            return samples
        if columns <= MAX_CHANNELS < rows:
            return samples.T
    raise AudioError(
        f"{name}: got samples of shape {samples.shape}, expected [n] or [channels, n]; transpose the array"
    )


class RawDecoder:
    """A decoder for bare samples of one channel in a file.

    Args:
        view: the file.
        raw: what the samples are.
    """

    damage: str | None = None
    notices: tuple[Notice, ...] = ()
    is_exact = True
    channels = 1

    def __init__(self, view: FileView, raw: RawFormat) -> None:
        self._view, self._raw, self.rate = view, raw, raw.rate
        self.frames: int | None = view.size // WIDTHS[raw.encoding]

    @property
    def share(self) -> float:
        """Share of the file that was read, 0 to 1: of its bytes, not of its seconds."""
        return self._view.furthest / max(self._view.size, 1)

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [1, n], float32, n <= `frames`; bytes that are no whole sample at the end are left."""
        width = WIDTHS[self._raw.encoding]
        while len(data := self._view.read(frames * width)) >= width:
            whole = data[: len(data) // width * width]
            yield decode(whole, encoding=self._raw.encoding, channels=1)
        self._view.raise_error()

    def close(self) -> None:
        """Close the file if it was opened here."""
        self._view.close()


def to_float(samples: npt.NDArray[np.generic], *, name: str) -> Samples:
    """Return samples as float32: integers are scaled to [-1, 1) by their type, floats stay as they are.

    Raises:
        AudioError: the type has no full scale in audio.
    """
    kind = samples.dtype.newbyteorder("=")
    if np.issubdtype(kind, np.floating):
        with np.errstate(over="ignore"):  # becomes infinity, which the reader refuses
            return samples.astype(np.float32, copy=False)
    if kind == np.uint8:
        return np.multiply(samples.astype(np.float32) - 128, 2.0**-7, dtype=np.float32)
    if kind in (np.int8, np.int16, np.int32):
        return np.multiply(samples.astype(np.float32), 2.0 ** (1 - 8 * kind.itemsize), dtype=np.float32)
    raise AudioError(
        f"{name}: got samples of type {kind}, expected float in [-1, 1], int16, int32 or uint8; "
        "convert them to the type of the recording"
    )


def mean_of_channels(block: Samples) -> Samples:
    """Return the mean of the channels of a block [channels, n], shape [1, n]."""
    # Sums row by row: numpy's mean over the short, interleaved axis takes six times as long.
    if block.shape[0] == 1:
        return block
    total = block[:1].copy()
    for row in block[1:]:
        total += row
    total *= np.float32(1 / block.shape[0])
    return total
