"""The helper process of `emovox.audio.child`: it forks a process for each file, which decodes it within limits."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import BinaryIO, cast

import msgspec
import numpy as np

from emovox.audio.decode import Decoder, open_file
from emovox.audio.messages import HEAD, PICTURE, Ended, Failed, OpenedFile, Request
from emovox.audio.pictures import VideoFrames
from emovox.audio.types import Encoding, RawFormat, Reading
from emovox.audio.view import FileView
from emovox.schema.errors import EmovoxError, MissingExtraError, UndecodableError

MEMORY_BYTES = 192 * 2**20
"""Bytes that decoding a file may take, besides the libraries and a quarter of the file's length."""

SECONDS, SECONDS_A_MEGABYTE, SECONDS_A_SECOND = 1.0, 1.0, 0.05
"""CPU time that a file may take: for itself, for each megabyte of it, and for each second of sound that it gives."""

PICTURE_MEMORY_BYTES = 512 * 2**20
"""Bytes that decoding the pictures of a video may take: ffmpeg holds up to 17 of them, of 12 MB each in 4K."""

SECONDS_A_PICTURE = 0.5
"""CPU time that each picture may take that is sent, with those between: four times that of 4K at 30 a second."""

_WATCH_SECONDS = 0.1
_LARGEST_REQUEST = 2**16


def main(control: int, media: int) -> None:
    """Fork a process for each request until the other end of a socket is closed.

    Each process decodes one file, with limits of memory in bytes and of computing time in seconds.

    Args:
        control: descriptor of the socket.
        media: 1 to load ffmpeg at the start, 0 to load it when a file needs it.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the children need no `wait`
    _load(media=bool(media))
    requests = socket.socket(fileno=control)
    while True:
        data, files, _, _ = socket.recv_fds(requests, _LARGEST_REQUEST, 2)
        if not data:
            return
        request = msgspec.json.decode(data, type=Request)
        _load(media=request.media)
        if os.fork() == 0:
            requests.close()
            with suppress(BaseException):
                _serve(request, *files)
            os._exit(0)
        for file in files:
            os.close(file)
        requests.sendall(b"+")


def _load(*, media: bool) -> None:
    """Import what every file needs, and PyAV if it is installed and asked for."""
    import soundfile  # noqa: F401

    if media:
        with suppress(ImportError):
            import av  # noqa: F401


def _serve(request: Request, file: int, connection: int) -> None:
    """Decode one file and send what is in it."""
    if request.niceness > 0:
        os.setpriority(os.PRIO_PROCESS, 0, request.niceness)
    reader = _Positional(file)
    size = reader.seek(0, os.SEEK_END)
    memory = MEMORY_BYTES if request.pictures is None else PICTURE_MEMORY_BYTES
    _limit_memory(memory + size // 4)
    answers = _Answers(socket.socket(fileno=connection), size=size, name=request.name)
    try:
        if request.pictures is None:
            _send_sound(request, reader, answers)
        else:
            frames = VideoFrames(cast(BinaryIO, reader), rate=request.pictures, name=request.name, limited=True)
            answers.pictures(frames)
            answers.text(b"E", Ended(frames.damage, ()))
    except EmovoxError as error:
        extra = error.extra if isinstance(error, MissingExtraError) else ""
        answers.text(b"X", Failed(error.code, str(error), extra))
    except MemoryError:
        answers.text(b"X", _too_much(request.name, f"{memory / 2**20:.0f} MB of memory"))
    except Exception as error:  # of any kind: a library's inconsistent data
        message = f"{request.name}: got a file that cannot be decoded ({error}), expected an intact one; convert it"
        answers.text(b"X", Failed(UndecodableError.code, message))


def _send_sound(request: Request, reader: _Positional, answers: _Answers) -> None:
    raw = None if request.raw is None else RawFormat(cast(Encoding, request.raw[0]), request.raw[1])
    view = FileView(cast(BinaryIO, reader), name=request.name)
    decoder = open_file(view, name=request.name, reading=Reading(track=request.track, raw=raw))
    answers.text(b"O", OpenedFile(decoder.rate, decoder.channels, decoder.frames, decoder.is_exact))
    answers.decode(decoder)
    answers.text(b"E", Ended(decoder.damage, decoder.notices))


class _Answers:
    """The connection to the other process; when that closes it, or time is up, this process ends."""

    def __init__(self, connection: socket.socket, *, size: int, name: str) -> None:
        self._socket, self._name = connection, name
        self._allowed = SECONDS + SECONDS_A_MEGABYTE * size / 1e6
        self._begun = time.process_time()
        self._sending = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def text(self, kind: bytes, message: msgspec.Struct) -> None:
        """Send a message as JSON behind its kind, one byte, and its length in bytes."""
        self._send(kind, msgspec.json.encode(message))

    def decode(self, decoder: Decoder) -> None:
        """Send the samples, in blocks of the size that the other process asks for."""
        (frames,) = struct.unpack("<I", self._socket.recv(4, socket.MSG_WAITALL))
        for block in decoder.blocks(frames):
            self._allowed += SECONDS_A_SECOND * block.shape[1] / decoder.rate
            self._send(b"B", struct.pack("<d", decoder.share) + np.ascontiguousarray(block, np.float32).tobytes())

    def pictures(self, frames: VideoFrames) -> None:
        """Send pictures, each behind its time, scale and size."""
        for picture in frames:
            self._allowed += SECONDS_A_PICTURE
            height, width = picture.image.shape[:2]
            self._send(b"P", PICTURE.pack(picture.time, picture.scale, height, width) + picture.image.tobytes())

    def _send(self, kind: bytes, data: bytes) -> None:
        with self._sending:
            self._socket.sendall(HEAD.pack(kind, len(data)) + data)

    def _watch(self) -> None:
        hung_up = select.poll()
        hung_up.register(self._socket, getattr(select, "POLLRDHUP", select.POLLHUP))
        while not hung_up.poll(1000 * _WATCH_SECONDS):
            if time.process_time() - self._begun > self._allowed:
                with suppress(OSError):
                    self.text(b"X", _too_much(self._name, f"{self._allowed:.1f} s of computing"))
                break
        os._exit(1)


def _too_much(name: str, what: str) -> Failed:
    return Failed(
        UndecodableError.code,
        f"{name}: got a file that takes more than {what} to decode, expected less for its length; convert it "
        "(sound to wav or flac)",
    )


class _Positional:
    """A file read by position: the other process's position of the same open file does not change."""

    def __init__(self, file: int) -> None:
        self._file, self._position = file, 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position in bytes from the beginning or from the end, and return it."""
        self._position = offset + (os.fstat(self._file).st_size if whence == os.SEEK_END else 0)
        return self._position

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes and move on; nothing at the end."""
        data = os.pread(self._file, count, self._position)
        self._position += len(data)
        return data

    def close(self) -> None:
        """Do nothing: the process ends after the file."""


def _limit_memory(more: int) -> None:
    """Let this process take so many bytes more than it has now."""
    import resource

    with suppress(OSError, ValueError):
        with open("/proc/self/status") as status:
            data = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
        resource.setrlimit(resource.RLIMIT_DATA, (data + more, data + more))
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
