"""Receive the file of a multipart request. Limits apply while the bytes come; the file is gone after the answer."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO, Any, NamedTuple, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from emovox.schema.text import printable
from emovox.serving.errors import CancelledError, RequestError, TooLargeError, TooSlowError

PART = "file"
"""Name of the form part with the recording."""

TRANSCRIPT = "transcript"
"""Name of the form part with the transcript of the recording, which may be there."""

TRANSCRIPT_BYTES = 2_000_000
"""Largest transcript in bytes: twenty hours of speech."""

MEMORY_BYTES = 2**20
"""Bytes of an upload that stay in memory. A larger one goes to a file without a name, gone with the process."""

GRACE_SECONDS = 10.0
"""Seconds that an upload of any size has before the least speed counts."""

_FORM_BYTES = 64 * 1024  # most bytes of boundaries, headers and other parts
_MOST_PARTS = 16  # besides the file
_KIND_LENGTH = 1000  # most characters of the header with the boundary
_NAME_LENGTH = 200  # most characters of a file name in an answer


class NamedBytes(NamedTuple):
    """A small file that came beside a recording: the client's name for it, and its bytes."""

    name: str
    data: bytes


class Upload:
    """The received recording: an open file, with the client's name for it, deleted when it is closed.

    `transcript` is that of the recording, if the client sent one.
    """

    def __init__(self) -> None:
        self.name = PART
        self.size = 0
        self.transcript: NamedBytes | None = None
        self._file = cast(IO[bytes], tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES))  # noqa: SIM115
        self.read, self.seek, self.tell = self._file.read, self._file.seek, self._file.tell
        self.fileno = self._file.fileno  # a process that decodes gets it; the bytes are then in a file

    def seekable(self) -> bool:
        """Return True: decoders may read the file several times from its beginning."""
        return True

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._file.write(data)
        self.size += len(data)

    def close(self) -> None:
        """Delete the file."""
        self._file.close()


async def receive_upload(request: Request, *, max_bytes: int, slowest: float) -> Upload:
    """Return the file of a multipart request with one part `file`, and perhaps one part `transcript`.

    Args:
        request: a request whose body is unread.
        max_bytes: largest file.
        slowest: least bytes/s on average, after a grace of 10 s.

    Returns:
        The file, at its beginning; the caller closes it.

    Raises:
        TooLargeError: the file is larger; raised before anything is read if the header has the length. Or the
            transcript has more than 2 MB.
        TooSlowError: the bytes come too slowly.
        RequestError: no multipart, or not exactly one part `file`, or several parts `transcript`.
        CancelledError: the client has left.
    """
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > max_bytes + TRANSCRIPT_BYTES + _FORM_BYTES:
        raise _too_large(max_bytes)
    upload = Upload()
    try:
        form = _Form(request.headers.get("content-type", ""), upload)
        async for chunk in _chunks(request, slowest):
            form.feed(chunk)
            if upload.size > max_bytes:
                raise _too_large(max_bytes)
            form.check()
        form.finish()
    except BaseException:  # cancellation, too
        upload.close()
        raise
    upload.seek(0)
    upload.transcript = form.transcript
    return upload


async def receive_body(request: Request, *, max_bytes: int, slowest: float) -> bytes:
    """Return the body of a request that is no form.

    Args:
        request: a request whose body is unread.
        max_bytes: largest body.
        slowest: as in `receive_upload`.

    Raises:
        TooLargeError: the body is larger.
        TooSlowError: the bytes come too slowly.
        CancelledError: the client has left.
    """
    body = bytearray()
    async for chunk in _chunks(request, slowest):
        body += chunk
        if len(body) > max_bytes:
            raise TooLargeError(f"got more than {max_bytes} bytes, which is the most; send a profile")
    return bytes(body)


async def _chunks(request: Request, slowest: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    begun, received = loop.time(), 0
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout_at(begun + GRACE_SECONDS + received / slowest):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise TooSlowError(
                f"got {received} bytes in {loop.time() - begun:.0f} s, expected {slowest:g} a second; "
                "use a faster connection, or send a compressed form such as opus"
            ) from None
        except ClientDisconnect:
            raise CancelledError("the client has left during the upload") from None
        received += len(chunk)
        yield chunk


class _Form:
    """The parser of a multipart body, fed as the bytes come.

    The callbacks belong to `_Parts`, which has no reference to the parser: there is no cycle that keeps the file alive.
    """

    def __init__(self, content_type: str, upload: Upload) -> None:
        if len(content_type) > _KIND_LENGTH:  # the parser blocks the event loop
            raise RequestError(
                f"got a content type of {len(content_type)} characters, expected at most {_KIND_LENGTH}; "
                "use a shorter boundary"
            )
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise RequestError(
                f"got content type '{content_type[:80]}', expected multipart/form-data with a part '{PART}'; "
                f"for example curl -F {PART}=@call.wav"
            )
        self._size, self._upload, self._parts = 0, upload, _Parts(upload)
        try:
            self._parser = MultipartParser(boundary, cast(Any, self._parts.callbacks()))
        except FormParserError as error:
            raise RequestError(f"got a boundary that is not allowed ({error}); use a shorter one") from error

    def feed(self, chunk: bytes) -> None:
        """Parse the next bytes of the body."""
        self._size += len(chunk)
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise RequestError(f"got a damaged multipart body ({error}); send it again") from error

    @property
    def transcript(self) -> NamedBytes | None:
        """The transcript, if there is one."""
        return (
            NamedBytes(self._parts.transcript_name, bytes(self._parts.transcript)) if self._parts.transcripts else None
        )

    def check(self) -> None:
        """Raise if the form is too large, apart from the recording, or the transcript is."""
        if len(self._parts.transcript) > TRANSCRIPT_BYTES:
            raise TooLargeError(
                f"got a transcript of more than {TRANSCRIPT_BYTES // 1_000_000} MB, which is the most; leave out "
                "the times of words"
            )
        if self._size - self._upload.size - len(self._parts.transcript) > _FORM_BYTES:
            raise _too_much()

    def finish(self) -> None:
        """Raise unless the body is complete and has one recording."""
        if not self._parts.ended:
            raise RequestError("got a multipart body without its end, expected all of it; send it again")
        if self._parts.files != 1:
            raise RequestError(
                f"got {self._parts.files} parts '{PART}', expected one; send each recording in a separate request"
            )
        if self._parts.transcripts > 1:
            raise RequestError(f"got {self._parts.transcripts} parts '{TRANSCRIPT}', expected one; send one of them")


class _Parts:
    """The parts of a form: `file` goes into the upload, `transcript` is kept, others are counted and dropped."""

    def __init__(self, upload: Upload) -> None:
        self.files, self.transcripts, self.ended = 0, 0, False
        self.transcript, self.transcript_name = bytearray(), TRANSCRIPT
        self._upload, self._begun, self._name = upload, 0, ""
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """Return the callbacks of the parser, by name."""
        return {
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_part_begin": self._part_begin,
            "on_part_data": self._part_data,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._name = ""
        self._begun += 1
        if self._begun > _MOST_PARTS + 1:  # checked here, since thousands of parts fit into one chunk
            raise _too_much()

    def _header_end(self) -> None:
        (field, value), self._header = self._header, (bytearray(), bytearray())
        if field.lower() != b"content-disposition":
            return
        _, options = parse_options_header(bytes(value))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = _clean(options.get(b"filename", b"").decode("utf-8", "replace"))
        if self._name == PART:
            self.files += 1
            self._upload.name = file_name
        elif self._name == TRANSCRIPT:
            self.transcripts += 1
            self.transcript_name = file_name

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == PART and self.files == 1:
            self._upload.write(data[start:end])
        elif self._name == TRANSCRIPT and self.transcripts == 1:
            self.transcript += data[start:end]

    def _end(self) -> None:
        self.ended = True


def _clean(name: str) -> str:
    r"""Return a client's file name for use in answers: the last part of the path, printable, 200 characters at most.

    >>> _clean("C:\\calls\\a\nb.wav"), _clean("../etc/x.wav"), _clean("")
    ('a\\nb.wav', 'x.wav', 'file')
    """
    return printable(PurePosixPath(PureWindowsPath(name).name).name)[:_NAME_LENGTH] or PART


def _too_much() -> RequestError:
    return RequestError(
        f"got more than {_FORM_BYTES} bytes or {_MOST_PARTS} parts besides the file, expected one part '{PART}'; "
        "send only the recording, and perhaps its transcript"
    )


def _too_large(max_bytes: int) -> TooLargeError:
    return TooLargeError(
        f"got more than {max_bytes / 1e6:g} MB, which is the most; send a compressed form such as opus, or parts"
    )
