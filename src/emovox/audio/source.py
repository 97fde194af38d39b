"""Prepare a source (path, file, bytes, samples, pipe) for the decoders, and name it for result rows."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import numpy as np

from emovox.audio.types import AudioInput, go_on
from emovox.audio.view import FileView
from emovox.schema.errors import AudioError, EmptyAudioError, UnreadableError
from emovox.schema.text import printable_name

_SPOOL_BYTES = 8 * 2**20
"""Largest copy of a pipe in memory; a larger one is on disk."""


def name_of(source: AudioInput) -> str:
    """Return the name of a source for a result row.

    In a file name, bytes that are not UTF-8 become escapes, since JSON needs UTF-8.

    Args:
        source: path, open file, bytes, or (samples [n] or [channels, n], sample rate in Hz).

    Returns:
        The path as given, the name of the open file, or "<bytes>", "<samples>", "<stream>".

    >>> name_of("call.wav"), name_of(b"RIFF")
    ('call.wav', '<bytes>')
    """
    if isinstance(source, bytes):
        return "<bytes>"
    if isinstance(source, tuple):
        return "<samples>"
    name = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    if not isinstance(name, str | os.PathLike):
        return "<stream>"
    return printable_name(name)


def rereadable(source: AudioInput) -> AudioInput:
    """Return a source that can be read from its beginning more than once.

    A pipe (standard input, or the path of a pipe) is copied to a temporary file, so that memory stays bounded. Other
    sources are returned unchanged.

    Raises:
        AudioError: the type of the source cannot hold audio.
        UnreadableError: the pipe cannot be read, or the disk is too full for the copy.
    """
    if isinstance(source, bytes | tuple):
        return source
    if isinstance(source, str | os.PathLike):
        if not _is_pipe(source):
            return source
        with open_bytes(os.fspath(source)) as pipe:
            return _spooled(pipe)
    if not callable(getattr(source, "read", None)):
        raise AudioError(
            f"got a {type(source).__name__}, expected a path, bytes, a file opened with 'rb' or (samples, sample rate)"
            + ("; pass the array together with its rate" if isinstance(source, np.ndarray) else "")
        )
    with readable(name_of(source)):
        return source if source.seekable() else _spooled(source)


def _is_pipe(path: str | os.PathLike[str]) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):  # opening it raises the error
        return False


def _spooled(pipe: BinaryIO) -> BinaryIO:
    import shutil  # takes 5 ms together with tempfile; only pipes need it
    import tempfile

    spool = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES))  # noqa: SIM115 - the reader closes it
    with readable(name_of(pipe)):
        shutil.copyfileobj(pipe, spool)
    return spool


@contextmanager
def readable(name: str, *, expected: str = "a file opened with 'rb'") -> Iterator[None]:
    """Convert errors while a file is read (bad disk, file closed or opened for writing …) to `AudioError`s."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise _as_text(name) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableError(f"{name}: could not be read ({reason}), expected {expected}") from error


def _as_text(name: str) -> AudioError:
    return AudioError(f"{name}: got a file opened as text, expected bytes; open it with mode 'rb'")


def open_bytes(path: str) -> BinaryIO:
    """Open a file for reading bytes.

    Raises:
        UnreadableError: the file is missing, is a directory, or may not be read.
    """
    name = name_of(path)
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        raise UnreadableError(f"{name}: got no such file, expected an audio file; check the path") from error
    except IsADirectoryError as error:
        raise UnreadableError(f"{name}: got a directory, expected an audio file; name the files in it") from error
    except PermissionError as error:
        # Windows refuses to open a directory with this error too.
        what = "a directory" if os.path.isdir(path) else "a file that may not be read"
        raise UnreadableError(f"{name}: got {what}, expected a readable audio file; check its permissions") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableError(f"{name}: could not be opened ({reason}), expected a readable audio file") from error


def open_view(
    source: str | os.PathLike[str] | bytes | BinaryIO, *, name: str, check: Callable[[], None] = go_on
) -> FileView:
    """Return a view of a file, from its beginning.

    Args:
        source: a path, the bytes of a file, or an open seekable file.
        name: name of the recording in messages.
        check: called before each read; what it raises ends the reading.

    Returns:
        A view of at least one byte. Its `close` closes the file if it was opened here.

    Raises:
        UnreadableError: the path cannot be opened, or the file cannot be read.
        EmptyAudioError: the file has no bytes.
        AudioError: the file was opened in text mode.
    """
    owned = isinstance(source, str | os.PathLike)
    if isinstance(source, bytes):
        file: BinaryIO = io.BytesIO(source)
    else:
        file = open_bytes(os.fspath(source)) if isinstance(source, str | os.PathLike) else source
    try:
        with readable(name, expected="a readable audio file" if owned else "a file opened with 'rb'"):
            file.seek(0)
            head = file.read(1)
            file.seek(0)
        if not isinstance(head, bytes):
            raise _as_text(name)
        if not head:
            raise EmptyAudioError(f"{name}: got an empty file (0 bytes), expected audio; record or copy it again")
        return FileView(file, name=name, owned=owned, check=check)
    except BaseException:
        if owned:
            file.close()
        raise
