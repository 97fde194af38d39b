"""Choose a decoder by content; every decoder yields blocks at the native rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Protocol

from emovox.audio.arrays import ArrayDecoder, RawDecoder
from emovox.audio.child import is_possible
from emovox.audio.child_decoder import ChildDecoder
from emovox.audio.chunks import TooManyChunksError
from emovox.audio.containers import FileForm, recognise
from emovox.audio.media import MediaDecoder
from emovox.audio.source import open_view
from emovox.audio.types import DEFAULT_READING, AudioInput, Reading, Samples
from emovox.audio.view import FileView
from emovox.schema.errors import EmptyAudioError, MissingExtraError, TrackError, UndecodableError
from emovox.schema.extras import require
from emovox.schema.result import Notice

LOWEST_RATE, HIGHEST_RATE = 1000, 768_000
"""Valid native rates in Hz. A header may hold any rate, and resampling from 1 Hz turns a sample into 16000."""

MOST_CHANNELS = 64
"""Most channels of a file: a few bytes can describe seconds of hundreds of silent ones."""

MOST_VALUES = 4_000_000
"""Most samples a second in all channels of a file: 64 channels at 48 kHz, or 8 at 384 kHz."""


class Decoder(Protocol):
    """A recording that is decoded once, from beginning to end, as float32 samples at its native rate in Hz."""

    rate: int
    """Native sample rate in Hz."""
    channels: int
    """Native number of channels."""
    frames: int | None
    """Number of samples per channel according to the file; None if it does not say. Never an estimate."""
    is_exact: bool
    """Whether fewer samples than `frames` mean that some are missing; a container only promises a length."""
    damage: str | None
    """Once `blocks` has ended: the reason if bytes were missing or damaged, else None."""
    notices: tuple[Notice, ...]
    """Once `blocks` has ended: what else the user has to know of the file."""

    @property
    def share(self) -> float:
        """Share of the file that was read, 0 to 1: of its bytes, not of its seconds; 1 where nobody knows."""

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [channels, n], float32 in [-1, 1], at the native rate; n is about `frames`."""

    def close(self) -> None:
        """Release the file; a file that the caller opened stays open."""


class Elsewhere(Protocol):
    """Opens a file in another process, which sends the samples; `media` says whether ffmpeg will probably be needed."""

    def __call__(self, *, media: bool) -> Decoder:
        """Return the decoder."""


def open_decoder(source: AudioInput, *, name: str, reading: Reading = DEFAULT_READING) -> Decoder:
    """Open a recording with the decoder for its content; the suffix does not matter.

    Args:
        source: path, open seekable file (read from its beginning), bytes, or (samples [n] or [channels, n], sample
            rate in Hz).
        name: name of the recording in messages.
        reading: which track, and what bare samples are.

    Returns:
        A decoder for blocks of shape [channels, n] at the native rate.

    Raises:
        UnreadableError: the path cannot be opened.
        EmptyAudioError: the source has no bytes or no samples.
        UndecodableError: no decoder reads the content.
        TrackError: there is no such track.
        MissingExtraError: the content is m4a, webm, video …, and the extra `media` is not installed.
    """
    if isinstance(source, tuple):
        return ArrayDecoder(source, name=name)
    view = open_view(source, name=name, check=reading.check)
    try:
        if not is_possible():
            return open_file(view, name=name, reading=reading)

        def in_child(*, media: bool) -> Decoder:
            """Return the decoder of a child process for the file of `view`, from its first byte."""
            return ChildDecoder(view.file, name=name, reading=reading, owned=view.owned, media=media)

        return (
            in_child(media=_is_media(view))
            if reading.isolated
            else open_file(view, name=name, reading=reading, elsewhere=in_child)
        )
    except BaseException:
        view.close()
        raise


def _is_media(view: FileView) -> bool:
    form = recognise(view).form
    return form is not None and not form.sndfile


def check_form(decoder: Decoder, source: AudioInput, *, name: str) -> None:
    """Check the rate in Hz and the number of channels of an opened recording.

    Args:
        decoder: the decoder of the recording.
        source: what it decodes; the channels of an array are not limited here.
        name: name of the recording in messages.

    Raises:
        UndecodableError: the rate is not in [`LOWEST_RATE`, `HIGHEST_RATE`], or the channels exceed `MOST_CHANNELS` or
            `MOST_VALUES`.
    """
    if not LOWEST_RATE <= decoder.rate <= HIGHEST_RATE:
        raise UndecodableError(
            f"{name}: got a sample rate of {decoder.rate} Hz, expected {LOWEST_RATE} to {HIGHEST_RATE}; "
            "export the recording again"
        )
    if isinstance(source, tuple):
        return
    if decoder.channels > MOST_CHANNELS or decoder.channels * decoder.rate > MOST_VALUES:
        raise UndecodableError(
            f"{name}: got {decoder.channels} channels at {decoder.rate} Hz, expected at most "
            f"{MOST_CHANNELS} channels and {MOST_VALUES} samples a second in all of them; export fewer channels"
        )


def open_file(view: FileView, *, name: str, reading: Reading, elsewhere: Elsewhere | None = None) -> Decoder:
    """Return the decoder for a file; it closes the view, unless this raises an error.

    Args:
        view: the file.
        name: name of the recording in messages.
        reading: which track, and what bare samples are.
        elsewhere: opens the same file in another process. It is called for mp3, whose decoder prints messages, and for
            what ffmpeg decodes; None decodes everything here.

    Raises:
        EmovoxError: as `open_decoder`.
    """
    if reading.raw is not None:
        return RawDecoder(view, reading.raw)
    form, start = recognise(view)
    if start:
        view = view.part(range(start, view.size))
    if form is not None and not form.sndfile and not form.demuxer:
        raise UndecodableError(
            f"{name}: got {form.name}, a form of sound that is not read, expected wav, flac, mp3, m4a …; convert the "
            "file"
        )
    if form is not None and form.demuxer and not form.sndfile:
        require("av", need=f"decoding {name} ({form.demuxer})", extra="media")
        if elsewhere:
            return elsewhere(media=True)
        return MediaDecoder(view, demuxer=form.demuxer, name=name, track=reading.track)
    if reading.track:
        raise TrackError(f"{name}: got track {reading.track}, expected 0 (the file has one track); leave it out")
    if elsewhere and form is not None and form.name == "mp3":
        return elsewhere(media=False)
    return _with_libsndfile(view, form, name=name, elsewhere=elsewhere)


def _with_libsndfile(view: FileView, form: FileForm | None, *, name: str, elsewhere: Elsewhere | None) -> Decoder:
    """Return libsndfile's decoder, or ffmpeg's where libsndfile refuses what ffmpeg may read."""
    from emovox.audio.sndfile import FileDecoder  # takes 16 ms to import; arrays do not need it

    demuxer = form.demuxer if form is not None else None

    def by_ffmpeg() -> Decoder:
        """Return ffmpeg's decoder for the whole file, from its first byte; in another process if there is one."""
        if elsewhere:
            return elsewhere(media=True)
        return MediaDecoder(view.part(range(view.size)), demuxer=demuxer or "", name=name)

    try:
        first = FileDecoder(view, form, name=name)
    except UndecodableError as refusal:
        if demuxer is None or isinstance(refusal.__cause__, TooManyChunksError):
            raise
        if find_spec("av") is None:
            if form is not None and form.name in ("wav", "ogg", "mp3"):
                raise
            raise MissingExtraError(f"decoding {name} ({refusal.args[0].partition(': ')[2]})", "media") from refusal
        return by_ffmpeg()
    return _Continued(first, by_ffmpeg) if demuxer == "flac" and find_spec("av") else first


class _Continued:
    """libsndfile's decoder of a flac, continued by ffmpeg behind a damaged place, where libsndfile stops.

    Args:
        first: the decoder.
        again: opens the file with ffmpeg.
    """

    def __init__(self, first: Decoder, again: Callable[[], Decoder]) -> None:
        self._first = self._decoder = first
        self._again = again
        self.rate, self.channels, self.frames = first.rate, first.channels, first.frames
        self.is_exact, self.damage = first.is_exact, first.damage
        self.notices = first.notices

    @property
    def share(self) -> float:
        """Share of the file that was read, 0 to 1: of its bytes, not of its seconds."""
        return self._decoder.share

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [channels, n], float32; silence where packets are damaged."""
        given = 0
        for block in self._decoder.blocks(frames):
            given += block.shape[1]
            yield block
        self.damage, self.notices = self._decoder.damage, self._decoder.notices
        if self.damage is not None:
            yield from self._rest(frames, given)

    def close(self) -> None:
        """Close the file."""
        for decoder in (self._first, self._decoder):
            decoder.close()

    def _rest(self, frames: int, skipped: int) -> Iterator[Samples]:
        try:
            rest = self._again()
        except (UndecodableError, EmptyAudioError):
            return
        self._decoder = rest
        if (rest.rate, rest.channels) != (self.rate, self.channels):
            return
        for block in rest.blocks(frames):
            if block.shape[1] > skipped:
                yield block[:, skipped:]
            skipped = max(0, skipped - block.shape[1])
        self.damage = rest.damage or self.damage
