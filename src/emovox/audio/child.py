"""Decode a file in a child process with limits of memory and time: hostile or damaged files harm nothing else.

One helper process (`emovox.audio.decoder_host`) waits with the libraries loaded, and forks a process for each file,
which takes a few milliseconds. Closing the connection ends that process, whatever it does. What the libraries print
goes nowhere.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, NamedTuple

import msgspec
import numpy as np

from emovox.audio.types import Reading, Samples
from emovox.schema import errors
from emovox.schema.errors import EmovoxError, UndecodableError
from emovox.schema.result import Notice
from emovox.schema.text import printable

MOST_SECONDS = 60.0
"""Seconds to wait for the next samples, at most."""

_POLL_SECONDS = 0.1
"""Seconds between two calls of `Reading.check` while nothing comes."""

HEAD = struct.Struct("<cI")
"""Before each message: its kind and its length in bytes."""

_LONGEST_NAME = 1000
"""Letters of a recording's name that a child process gets for its messages."""

_MOST_TEXT = 2**20
"""Most bytes of a message that is not samples."""

START = (
    "import sys; sys.path[:] = sys.argv[3:]; from emovox.audio.decoder_host import main; main(*map(int, sys.argv[1:3]))"
)
"""The program of the helper process: it finds modules where this process does."""


class OpenedFile(msgspec.Struct):
    """What a child process says of a file that it has opened: attributes of a `Decoder`.

    Attributes:
        rate: native sample rate in Hz.
        channels: native number of channels.
        frames: number of samples per channel according to the file; None if it does not say.
        is_exact: whether fewer samples than `frames` mean that some are missing.
    """

    rate: int
    channels: int
    frames: int | None
    is_exact: bool


class Ended(msgspec.Struct):
    """What a child process says at the end: attributes of a `Decoder`.

    Attributes:
        damage: the reason if samples are missing or damaged, else None.
        notices: what else the user has to know of the file.
    """

    damage: str | None
    notices: tuple[Notice, ...]


class Failed(msgspec.Struct):
    """An error in a child process: its code and its message."""

    code: str
    message: str
    extra: str = ""


class Request(msgspec.Struct):
    """What a child process is asked to open; the file itself goes with it.

    Attributes:
        name: name of the recording in messages.
        track: number of the audio track, from 0; None takes the default one.
        raw: encoding and rate in Hz of bare samples; None recognises the form by content.
        niceness: priority of the process, -20 to 19; the child takes over a value above 0.
        media: whether ffmpeg will probably be needed.
    """

    name: str
    track: int | None
    raw: tuple[str, int] | None
    niceness: int
    media: bool


def is_possible() -> bool:
    """Return whether this system can fork processes and send them open files."""
    return hasattr(os, "fork") and hasattr(socket, "send_fds") and bool(sys.executable)


class ChildDecoder:
    """A `Decoder` whose work is done in a child process.

    Args:
        file: an open seekable file; its position may change.
        name: name of the recording in messages.
        reading: which track, what bare samples are, and `check`, which is called at least every 0.1 s.
        owned: whether `close` closes the file.
        media: whether ffmpeg will probably be needed; the helper process then loads it once for all files.

    Raises:
        EmovoxError: as `open_decoder`; or the child process exceeds its limits, or crashes.
    """

    def __init__(self, file: BinaryIO, *, name: str, reading: Reading, owned: bool, media: bool) -> None:
        self._name, self._reading = name, reading
        self._file = file if owned else None
        self.damage: str | None = None
        self.notices: tuple[Notice, ...] = ()
        self.share = 0.0
        request = Request(printable(name)[:_LONGEST_NAME], reading.track, reading.raw, _niceness(), media)
        self._socket = _start(request, file)
        try:
            self._socket.settimeout(_POLL_SECONDS)
            kind, size = self._next()
            opened = msgspec.json.decode(self._text(kind, size, b"O"), type=OpenedFile)
        except BaseException:
            self._socket.close()
            raise
        self.rate, self.channels, self.frames = opened.rate, opened.channels, opened.frames
        self.is_exact = opened.is_exact

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield samples of shape [channels, n], float32, n about `frames`."""
        with suppress(OSError):  # it is gone: receiving says so
            self._socket.sendall(struct.pack("<I", frames))
        while True:
            kind, size = self._next()
            if kind != b"B":
                break
            data = self._received(size)
            self.share = struct.unpack_from("<d", data)[0]
            yield np.frombuffer(data, np.float32, offset=8).reshape(self.channels, -1)
        ended = msgspec.json.decode(self._text(kind, size, b"E"), type=Ended)
        self.damage, self.notices = ended.damage, ended.notices

    def close(self) -> None:
        """End the child process, and close the file if it was opened here."""
        self._socket.close()
        if self._file is not None:
            self._file.close()

    def _next(self) -> tuple[bytes, int]:
        kind, size = HEAD.unpack(self._received(HEAD.size))
        return kind, size

    def _text(self, kind: bytes, size: int, expected: bytes) -> bytes:
        if size > _MOST_TEXT:
            raise self._lost()
        data = bytes(self._received(size))
        if kind == b"X":
            raise _error(msgspec.json.decode(data, type=Failed))
        if kind != expected:
            raise self._lost()
        return data

    def _received(self, size: int) -> bytearray:
        data = bytearray(size)
        view, filled = memoryview(data), 0
        deadline = time.monotonic() + MOST_SECONDS
        while filled < size:
            self._reading.check()
            try:
                count = self._socket.recv_into(view[filled:])
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise UndecodableError(
                        f"{self._name}: got no sound from the decoder in {MOST_SECONDS:g} s, expected some; convert "
                        "the file to wav or flac"
                    ) from None
                continue
            except OSError:
                count = 0
            if not count:
                raise self._lost()
            filled += count
        return data

    def _lost(self) -> UndecodableError:
        return UndecodableError(
            f"{self._name}: got a file that ends the decoder (a crash, or too much memory), expected an intact one; "
            "convert the file to wav or flac, or copy it again"
        )


class _Host:
    """The helper process of this process, which forks the child processes."""

    def __init__(self, *, media: bool) -> None:
        self._lock = threading.Lock()
        self.pid = os.getpid()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", START, str(theirs.fileno()), str(int(media)), *sys.path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # an interrupt at the terminal is for this process alone
                env=_environment(),
            )

    @property
    def is_alive(self) -> bool:
        """Return whether the helper process runs, and belongs to this process and not to its parent."""
        return self.pid == os.getpid() and self._process.poll() is None

    def start(self, request: Request, file: BinaryIO) -> socket.socket:
        """Start a child process on a file and return the connection to it, on which it sends the samples."""
        message = msgspec.json.encode(request)
        ours, theirs = socket.socketpair()
        with theirs, _descriptor(file) as descriptor, self._lock:
            try:
                socket.send_fds(self._control, [message], [descriptor, theirs.fileno()])
                answered = self._control.recv(1)
            except OSError:
                answered = b""
        if not answered:
            ours.close()
            self._process.kill()
            self._process.wait()  # so that the next file finds it dead and starts another
            raise UndecodableError(f"{request.name}: got no decoder process, expected one; try again")
        return ours

    def close(self) -> None:
        """End the helper process."""
        self._control.close()
        if self.pid == os.getpid():
            self._process.kill()
            self._process.wait()


@contextmanager
def _descriptor(file: BinaryIO) -> Iterator[int]:
    """Yield the descriptor of an open file, or that of a temporary copy if it has none."""
    number = -1
    with suppress(OSError, AttributeError, ValueError):
        number = file.fileno()
        if os.fstat(number).st_size != file.seek(0, os.SEEK_END):  # the descriptor of an archive around it
            number = -1
    if number >= 0:
        yield number
        return
    with tempfile.TemporaryFile() as copy:
        file.seek(0)
        shutil.copyfileobj(file, copy, 2**20)
        copy.flush()
        yield copy.fileno()


class _State(NamedTuple):
    lock: threading.Lock
    hosts: list[_Host]


_state = _State(threading.Lock(), [])


def _host(*, media: bool) -> _Host:
    with _state.lock:
        if not (_state.hosts and _state.hosts[0].is_alive):
            _forget()
            _state.hosts.append(_Host(media=media))
        return _state.hosts[0]


def _start(request: Request, file: BinaryIO) -> socket.socket:
    """Start a child process on a file; once more if the helper process was killed in the meantime."""
    try:
        return _host(media=request.media).start(request, file)
    except UndecodableError:
        return _host(media=request.media).start(request, file)


def start_helper(*, media: bool) -> None:
    """Start the helper process, if it is possible here, so that the first file does not wait for it.

    Args:
        media: whether it loads ffmpeg at once, which takes about 0.2 seconds; otherwise a file that needs it waits.
    """
    if is_possible():
        _host(media=media)


def _forget() -> None:
    while _state.hosts:
        _state.hosts.pop().close()


atexit.register(_forget)


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def _environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG") if key in os.environ}
    return kept | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _error(failed: Failed) -> EmovoxError:
    known = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EmovoxError)]
    kind = next((kind for kind in known if kind.code == failed.code), UndecodableError)
    error = kind.__new__(kind, failed.message)
    Exception.__init__(error, failed.message)
    if failed.extra:
        vars(error)["extra"] = failed.extra
    return error
