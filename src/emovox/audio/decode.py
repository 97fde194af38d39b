"""Choose a decoder by content; every decoder yields blocks at the native rate."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from emovox.audio.media import MediaDecoder, demuxer_of, second_try
from emovox.audio.source import head_of
from emovox.audio.types import AudioInput, Samples
from emovox.schema.errors import AudioError, EmptyAudioError, UndecodableError

MAX_CHANNELS = 32
"""Most channels of an array; one with more rows is not taken for [channels, n]."""

MAX_RATE = 2**31 - 1
"""Highest sample rate in Hz that a file header can hold."""


class Decoder(Protocol):
    """A recording that is decoded once, from beginning to end, without resampling."""

    rate: int
    """Native sample rate in Hz."""
    channels: int
    """Native number of channels."""
    frames: int | None
    """Number of samples per channel according to the header; None if it does not say."""
    damage: str | None
    """Once `blocks` has ended: the reason if it stopped before the end of the recording, else None."""

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [channels, n], float32 in [-1, 1], at the native rate; n is about `frames`."""

    def close(self) -> None:
        """Release the file; a file that the caller opened stays open."""


def open_decoder(source: AudioInput, *, name: str) -> Decoder:
    """Open a recording with the decoder for its content; the suffix does not matter.

    Args:
        source: path, open seekable file (read from its beginning), bytes, or (samples [n] or [channels, n], sample
            rate in Hz).
        name: name of the recording in messages.

    Returns:
        A decoder for blocks of shape [channels, n] at the native rate.

    Raises:
        UnreadableError: the path cannot be opened.
        EmptyAudioError: the source has no bytes or no samples.
        UndecodableError: no decoder reads the content.
        MissingExtraError: the content is m4a, webm, video …, and the extra `media` is not installed.
    """
    if isinstance(source, tuple):
        return ArrayDecoder(source, name=name)
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    elif isinstance(source, str | os.PathLike):
        source = os.fspath(source)
    head = head_of(source, name=name)
    if demuxer := demuxer_of(head):
        return MediaDecoder(source, demuxer=demuxer, name=name)
    from emovox.audio.sndfile import FileDecoder  # takes 16 ms to import; arrays do not need it

    try:
        return FileDecoder(source, name=name)
    except UndecodableError:
        if demuxer := second_try(head):
            return MediaDecoder(source, demuxer=demuxer, name=name)
        raise


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

    def __init__(self, source: tuple[npt.NDArray[np.generic], int], *, name: str) -> None:
        samples, rate = _pair(source, name=name)
        self._samples = _channels_first(samples, name=name)
        if not _is_rate(rate):
            raise AudioError(f"{name}: got sample rate {rate!r}, expected a whole number of Hz from 1 to {MAX_RATE}")
        _to_float(self._samples[:, :0], name=name)
        self.rate = int(rate)
        self.channels, self.frames = self._samples.shape

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [channels, n], float32, n <= `frames`: views of the array if it is float32."""
        for start in range(0, self._samples.shape[1], frames):
            yield _to_float(self._samples[:, start : start + frames], name="")

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


def _to_float(samples: npt.NDArray[np.generic], *, name: str) -> Samples:
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
