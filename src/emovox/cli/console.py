"""What commands share: whole files or none, aligned columns, and a progress bar on terminals."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import TracebackType

import typer

from emovox.schema.errors import ConfigError
from emovox.schema.files import replacing

Write = Callable[[str], None]

REDRAW_SECONDS = 0.2
"""Time between two pictures of the bar; work shorter than this shows none."""

BAR_WIDTH = 24
COLOUR_CODE = re.compile(r"\x1b\[[0-9;]*m")
ERASE_LINE = "\r\x1b[2K"

COLOURS = ("green", "yellow", "blue", "red", "magenta", "cyan", "bright_yellow", "bright_green", "bright_magenta")
"""Terminal colours of labels, in the order of the model's labels; more labels than colours go round again."""


@contextmanager
def writing(output: Path | None) -> Iterator[Write]:
    """Give a function that writes text to a file, or to stdout when `output` is None.

    The file appears under its name only when the block ends without an exception, so nobody sees half of it.

    Raises:
        ConfigError: the file cannot be written.
    """
    if output is None:
        yield lambda text: typer.echo(text, nl=False)
        return
    with replacing(output) as file:
        yield lambda text: (file.write(text.encode()), None)[1]


def make_folder(folder: Path) -> None:
    """Make a folder for output, with those that it lies in; one that exists is taken.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made ({error.strerror}); give another --output") from error


class InputFiles:
    """The files that a command reads, so that it never writes over a recording.

    Args:
        files: their paths; what does not exist is left out.
    """

    def __init__(self, files: Iterable[str | Path]) -> None:
        self._identities = {found for file in files if (found := _identity(file)) is not None}

    def spare(self, *outputs: Path | None) -> None:
        """Check that none of the outputs is one of the inputs, by whatever name.

        Raises:
            ConfigError: one is.
        """
        for output in outputs:
            if output is not None and _identity(output) in self._identities:
                raise ConfigError(f"{output}: got an input as the output, expected another file; it would be lost")


def coloured(stream: object) -> bool:
    """Whether to colour text on this stream: it is a terminal, and NO_COLOR is not set (no-color.org)."""
    return bool(getattr(stream, "isatty", bool)()) and not os.environ.get("NO_COLOR")


def columns(rows: Sequence[Sequence[str]], *, gap: int = 2) -> str:
    r"""Align cells in columns, by the width that they take on a terminal (Chinese characters take two places).

    >>> columns([["file", "label"], ["日本.wav", "sad"]])
    'file      label\n日本.wav  sad\n'
    """
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = [
        "".join(cell + " " * (w + gap - _width(cell)) for cell, w in zip(row, widths, strict=True)) for row in rows
    ]
    return "".join(line.rstrip() + "\n" for line in lines)


class Bar:
    """Progress over several recordings, one line on stderr, on terminals only; use as a context manager.

    Drawn by hand: rich's bar would cost 50 ms at start, and it catches stdout, which belongs to the results.

    Args:
        total: how many recordings there are.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._begun = self._drawn = time.monotonic()
        self._enabled = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def update(self, done: float, text: str) -> None:
        """Show that `done` recordings (a fraction counts the one at work) are finished; `text` says where it is."""
        now = time.monotonic()
        if not self._enabled or now - self._drawn < REDRAW_SECONDS:
            return
        self._drawn = now
        share = min(1.0, done / self._total)
        filled = round(share * BAR_WIDTH)
        left = (now - self._begun) * (1 - share) / share if share else 0.0
        line = f"{'█' * filled}{'░' * (BAR_WIDTH - filled)} {share:4.0%}  {clock(left)} left  {printable(text)}"
        typer.echo(ERASE_LINE + line[: shutil.get_terminal_size().columns - 1], nl=False, err=True)

    def clear(self) -> None:
        """Take the bar off the screen, before anything else is written; the next update draws it again."""
        if self._enabled and self._drawn > self._begun:
            typer.echo(ERASE_LINE, nl=False, err=True)

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()


def clock(seconds: float) -> str:
    """Write a length of time for people.

    >>> clock(3.4), clock(7384)
    ('0:03', '2:03:04')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def printable(text: str) -> str:
    r"""Put U+FFFD in the place of characters that would move the cursor, such as a newline in a file name.

    >>> printable("a\nb\x1b[31m.wav 日本")
    'a\ufffdb\ufffd[31m.wav 日本'
    """
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _identity(path: str | Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in COLOUR_CODE.sub("", text))


class Form(StrEnum):
    """Output formats."""

    TABLE = "table"
    JSON = "json"
