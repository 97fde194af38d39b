"""Send what libraries write to standard error through the log, so that every line has the form of the log.

ONNX Runtime, libmpg123, and Python's warnings and tracebacks of callbacks write to file descriptor 2, past the log.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import threading
import time
from typing import BinaryIO, TextIO

MOST_LINES = 50
"""Lines of libraries that are logged in a minute; another line counts the rest."""

LONGEST_LINE = 1000
"""Characters of a line that are logged."""

DRAIN_SECONDS = 1.0
"""Seconds for the last lines when the process ends."""

_PIPE_BYTES = 1 << 20  # a library that holds Python's lock and fills the pipe would wait for ever
_MINUTE = 60.0

log = logging.getLogger("emovox.serving")


def take_stderr(handler: logging.StreamHandler[TextIO]) -> None:
    """Redirect file descriptor 2 into the log until the process ends.

    Args:
        handler: writes the log; it keeps the standard error of before.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    source, sink = os.pipe()
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # the user has no pipe pages left: the usual 64 kB then
            fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    handler.setStream(os.fdopen(kept, "w", encoding="utf-8", errors="backslashreplace"))
    logging.raiseExceptions = False  # a log that cannot be written would report that to itself, without end
    os.dup2(sink, 2)
    os.close(sink)
    reader = threading.Thread(target=_copy, args=(os.fdopen(source, "rb"),), name="emovox-stderr", daemon=True)
    reader.start()
    atexit.register(_give_back, kept, reader)


def _give_back(kept: int, reader: threading.Thread) -> None:
    """Restore standard error and wait for the last lines, unless a child process still holds the pipe."""
    sys.stderr.flush()
    os.dup2(kept, 2)
    reader.join(DRAIN_SECONDS)


def _copy(source: BinaryIO) -> None:
    begun, lines = time.monotonic(), 0
    for line in iter(lambda: source.readline(LONGEST_LINE), b""):
        if time.monotonic() - begun >= _MINUTE:
            _count_rest(lines)
            begun, lines = time.monotonic(), 0
        text = line.decode("utf-8", "backslashreplace").strip()
        lines += bool(text)
        if text and lines <= MOST_LINES:
            log.warning("standard error", extra={"text": text})
    _count_rest(lines)


def _count_rest(lines: int) -> None:
    if lines > MOST_LINES:
        log.warning("standard error had more lines", extra={"lines": lines - MOST_LINES})
