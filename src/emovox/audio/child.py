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
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, NamedTuple

import msgspec

from emovox.audio.messages import HEAD, Failed, Request
from emovox.audio.types import Reading
from emovox.schema import errors
from emovox.schema.errors import EmovoxError, UndecodableError
from emovox.schema.text import printable

MOST_SECONDS = 60.0
"""Seconds to wait for the next samples, at most."""

_POLL_SECONDS = 0.1
"""Seconds between two calls of `Reading.check` while nothing comes."""

_LONGEST_NAME = 1000
"""Letters of a recording's name that a child process gets for its messages."""

_MOST_TEXT = 2**20
"""Most bytes of a message that is not samples."""

START = (
    "import sys; sys.path[:] = sys.argv[3:]; from emovox.audio.decoder_host import main; main(*map(int, sys.argv[1:3]))"
)
"""The program of the helper process: it finds modules where this process does."""


def is_possible() -> bool:
    """Return whether this system can fork processes and send them open files."""
    return hasattr(os, "fork") and hasattr(socket, "send_fds") and bool(sys.executable)


class ChildConnection:
    """A connection to a new child process that decodes a file; closing it ends the process.

    Args:
        file: an open seekable file; its position may change.
        name: name of the recording in messages.
        reading: which track, what bare samples are, and `check`, which is called at least every 0.1 s.
        media: whether ffmpeg will probably be needed; the helper process then loads it once for all files.
        pictures: pictures a second that are asked for; None asks for the sound.

    Raises:
        UndecodableError: no process can be started.
    """

    def __init__(
        self, file: BinaryIO, *, name: str, reading: Reading, media: bool, pictures: float | None = None
    ) -> None:
        self._name, self._check = name, reading.check
        known = printable(name)[:_LONGEST_NAME]
        self._socket = _start(Request(known, reading.track, reading.raw, _niceness(), media, pictures), file)
        self._socket.settimeout(_POLL_SECONDS)

    def send(self, data: bytes) -> None:
        """Send bytes; if the process is gone, the next message says so."""
        with suppress(OSError):
            self._socket.sendall(data)

    def next(self) -> tuple[bytes, int]:
        """Return the kind of the next message, one letter, and its length in bytes.

        Raises:
            UndecodableError: the process has ended or is silent.
        """
        kind, size = HEAD.unpack(self.data(HEAD.size))
        return kind, size

    def text(self, size: int, kind: bytes, expected: bytes) -> bytes:
        """Return a message in JSON.

        Raises:
            EmovoxError: it is an error of the process, or of another kind than expected.
        """
        if size > _MOST_TEXT:
            raise self.lost()
        data = bytes(self.data(size))
        if kind == b"X":
            raise _error(msgspec.json.decode(data, type=Failed))
        if kind != expected:
            raise self.lost()
        return data

    def data(self, size: int) -> bytearray:
        """Return the next bytes; raise as `next`."""
        data = bytearray(size)
        view, filled = memoryview(data), 0
        deadline = time.monotonic() + MOST_SECONDS
        while filled < size:
            self._check()
            try:
                count = self._socket.recv_into(view[filled:])
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise UndecodableError(
                        f"{self._name}: got nothing from the decoder in {MOST_SECONDS:g} s, expected some sound or "
                        "pictures; convert the file"
                    ) from None
                continue
            except OSError:
                count = 0
            if not count:
                raise self.lost()
            filled += count
        return data

    def lost(self) -> UndecodableError:
        """Return the error for a process that has ended without a word, or says what it should not."""
        return UndecodableError(
            f"{self._name}: got a file that ends the decoder (a crash, or too much memory), expected an intact one; "
            "convert the file to wav or flac, or copy it again"
        )

    def close(self) -> None:
        """End the child process."""
        self._socket.close()


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
