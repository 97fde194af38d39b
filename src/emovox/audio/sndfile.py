"""Decode wav, flac, ogg, opus, mp3, aiff … with libsndfile; imported when a file is opened, since it takes 16 ms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile

from emovox.audio.chunks import MOST_CHUNKS, TooManyChunksError
from emovox.audio.containers import GSM, FileForm
from emovox.audio.parts import flac_frames, parts_of
from emovox.audio.resampling import Resampler
from emovox.audio.types import TOLERATED_LOSS, Samples
from emovox.audio.view import FilePart, FileView
from emovox.schema.errors import UndecodableError
from emovox.schema.result import Notice

_CUT_DATA = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)
_CUT_OGG = "lacks an end-of-stream bit"
_UNKNOWN_FRAMES = 2**62
"""Length from which libsndfile does not know the length: flac from a pipe, or from an interrupted recording."""

_UNKNOWN_SIZE = 0x7FFFF000
"""Size in bytes from which the size of a chunk is unknown."""

_BARE: dict[str, dict[str, Any]] = {
    GSM.name: {"format": "RAW", "subtype": "GSM610", "samplerate": 8000, "channels": 1},
}
"""What libsndfile has to be told of forms without a header."""


class FileDecoder:
    """A decoder for the formats of libsndfile.

    A file that holds several recordings one after the other (chained ogg, joined mp3, flac or wav) is decoded to its
    end; the later ones get the rate and the channels of the first. A truncated file yields the part that can be
    decoded: libsndfile raises (flac), stops early (mp3), or corrects the header and only logs it (ogg, aiff).
    A bare GSM file has no header: it is read with 8000 Hz and one channel.

    Args:
        view: the file, from its first byte of sound or header on.
        form: what it is; None if it is unknown.
        name: name of the recording in messages.

    Raises:
        UndecodableError: libsndfile does not read the format.
    """

    def __init__(self, view: FileView, form: FileForm | None, *, name: str) -> None:
        self._view, self._form = view, form
        try:
            self._parts = parts_of(view, form)
            self._file = self._opened(self._parts[0])
        except (soundfile.LibsndfileError, TooManyChunksError) as error:
            view.raise_error()
            raise UndecodableError(_refusal(form, error, name)) from error
        self.rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.frames = self._length()
        self.damage: str | None = None
        self.notices: tuple[Notice, ...] = ()
        self.is_exact = True

    @property
    def share(self) -> float:
        """Share of the file that was read, 0 to 1: of its bytes, not of its seconds."""
        return min(1.0, self._source.furthest / max(self._view.size, 1))

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [channels, n], float32, n <= `frames`, to the end or the first damage."""
        for number, part in enumerate(self._parts):
            if number:
                self._file.close()
                try:
                    self._file = self._opened(part)
                except soundfile.LibsndfileError as error:
                    self.damage = f"recording {number + 1} in the file cannot be decoded: {_reason(error)}"
                    return
            self._given = 0
            yield from self._adapted(frames) if number else self._decoded(frames)
            self._judge(part, self._given / self._file.samplerate)

    def close(self) -> None:
        """Close libsndfile's handle, and the file if it was opened here."""
        self._file.close()
        self._view.close()

    def _opened(self, part: FilePart) -> soundfile.SoundFile:
        self._source = self._view.part(*part.pieces)
        return _ForwardFile(self._source, **_BARE.get(self._form.name if self._form else "", {}))

    def _length(self) -> int | None:
        if len(self._parts) > 1:
            return None
        if self._form is not None and self._form.name == "flac":
            return flac_frames(self._view)
        return self._file.frames if self._file.frames < _UNKNOWN_FRAMES else None

    def _decoded(self, frames: int) -> Iterator[Samples]:
        while True:
            block = np.empty((frames, self._file.channels), np.float32)
            try:
                n = len(self._file.read(out=block))
            except soundfile.LibsndfileError as error:
                # `block` already holds the samples before the damage; the position gives their number.
                n = min(max(self._file.tell() - self._given, 0), frames)
                self.damage = f"decoding stopped: {_reason(error)}"
            self._source.raise_error()
            self._given += n
            if n:
                yield block[:n].T
            if n < frames:
                return

    def _adapted(self, frames: int) -> Iterator[Samples]:
        """Yield the samples of a later recording with the rate and the channels of the first."""
        rate = self._file.samplerate
        resampler = Resampler(rate, self.rate, self.channels) if rate != self.rate else None
        for block in self._decoded(frames):
            if len(block) != self.channels:
                block = np.repeat(block.mean(axis=0, keepdims=True), self.channels, axis=0)
            yield block if resampler is None else resampler.feed(block)
        if resampler is not None:
            yield resampler.flush()

    def _judge(self, part: FilePart, seconds: float) -> None:
        """Note the bytes that are missing, and those of which the header does not know."""
        there = sum(len(piece) for piece in part.pieces) - part.header
        a_byte = seconds / max(there, 1)
        log = self._file.extra_info
        missing, reason = part.missing, f"the header promises {there + part.missing} bytes, {there} are there"
        if (sizes := _CUT_DATA.search(log)) and int(sizes[1]) < _UNKNOWN_SIZE:
            missing = int(sizes[1]) - int(sizes[2])
            reason = f"the header promises {sizes[1]} bytes, {sizes[2]} are there"
        if _CUT_OGG in log:
            self.damage = self.damage or "the end of the stream is missing"
        if missing and (missing * a_byte > TOLERATED_LOSS or not seconds):
            self.damage = self.damage or reason
        if part.unfinished * a_byte > TOLERATED_LOSS:
            self.notices = (
                Notice(
                    "unfinished",
                    f"the header leaves out {part.unfinished * a_byte:.2f} s at the end, as after the crash of a "
                    "recorder; they are analysed, too",
                ),
            )


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is only read forward.

    `SoundFile.read` seeks to the current position after every block. In mp3 that drops the bits that a frame borrows
    from its predecessors, and the first frame of a block is damaged.
    """

    def seekable(self) -> bool:
        """Return False, so that `read` does not seek."""
        return False


def _refusal(form: FileForm | None, error: Exception, name: str) -> str:
    if isinstance(error, TooManyChunksError):
        kind = form.name if form else "unknown"
        return (
            f"{name}: got {kind} data with more than {MOST_CHUNKS} chunks before the sound, expected a few; convert it"
        )
    if form is None:
        return (
            f"{name}: got bytes that are not audio ({_reason(error)}), expected wav, flac, ogg, opus, mp3, m4a, "
            "webm or mp4; convert the file, or check that it is what its name says; for bare samples say what they "
            "are (--raw ENCODING,RATE)"
        )
    return (
        f"{name}: got {form.name} data that cannot be decoded ({_reason(error)}), expected a complete file with a "
        "usual codec; convert the file to wav or flac, or copy it again"
    )


def _reason(error: Exception) -> str:
    return getattr(error, "error_string", str(error)).strip(" .") or "damaged data"
