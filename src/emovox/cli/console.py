"""The common parts of commands: options, output files that are whole or absent, aligned columns, and a progress bar."""

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
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emovox.schema.errors import ConfigError
from emovox.schema.files import check_writable, replacing
from emovox.schema.text import json_document, printable

if TYPE_CHECKING:
    from emovox.schema.card import ModelCard

Write = Callable[[str], None]
"""Writes text to an output."""

SHIPPED, DEFAULT = ("accurate", "hybrid", "mobile", "svm"), "accurate"
"""Names in the help; a test compares them with the files, as the help does not search for these."""

ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="<model>",
        help=f"{', '.join(SHIPPED)} or permissive; or the path of a NAME.onnx or of a run of emovox train. Default: "
        f"{DEFAULT}.",
    ),
]
HeadOption = Annotated[
    str | None,
    typer.Option(
        metavar="<head>",
        help="Another head for the model. permissive, for accurate, learnt from EMO-DB alone, in place of corpora for "
        "non-commercial use; it has no surprise.",
    ),
]
ChannelsOption = Annotated[
    str, typer.Option(help="mix averages the channels, split analyses each, a number from 0 takes one.")
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Give no label below this confidence. Default: that of the model's card."),
]
CoverageOption = Annotated[
    int | None,
    typer.Option(
        metavar="<percent>",
        help="80, 90 or 95: a set of labels for each segment, which holds the true one of a new speaker in this share "
        "of the cases.",
    ),
]
TrackOption = Annotated[
    int | None,
    typer.Option(min=0, metavar="<n>", help="Audio track of a video, from 0. Default: the one that players choose."),
]
RawOption = Annotated[
    str | None,
    typer.Option(
        metavar="<encoding,rate>",
        help="Read bare samples of one channel, without a header: s16le, f32le, mulaw or alaw, and Hz.",
    ),
]
SpeakerOption = Annotated[
    str | None,
    typer.Option(metavar="<name>", help="Adapt the scores to a speaker that emovox speaker learn has learnt."),
]
SourceOption = Annotated[
    str | None,
    typer.Option(
        metavar="<name>",
        help="Start from a room, a line or a folder, learnt by emovox speaker learn from other speakers there.",
    ),
]
RunFolderOption = Annotated[
    Path | None, typer.Option(help="Run folder. Default: runs/NAME in the cache folder ($EMOVOX_CACHE).")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")]
WorkersOption = Annotated[int, typer.Option(min=1, help="Number of processes that compute features.")]
SpeakersOption = Annotated[
    str | None,
    typer.Option(
        metavar="<n|auto>",
        help="Tell the speakers of a recording apart: how many there are, or auto to find it. The recording is read "
        "twice.",
    ),
]


class Form(StrEnum):
    """Output formats: a table to read, or JSON for programs."""

    TABLE = "table"
    JSON = "json"


REDRAW_SECONDS = 0.2
"""Seconds between two drawings of the bar. Work that is shorter shows no bar."""

_HEAD_BYTES = 512
"""Bytes of a file that show its kind."""

BAR_WIDTH = 24
"""Columns of the bar, without percentage, time and text."""

COLOUR_CODE = re.compile(r"\x1b\[[0-9;]*m")
"""What colours text on a terminal, and takes no column."""

ERASE_LINE = "\r\x1b[2K"
"""Erases the line of the terminal that the cursor is in."""

COLOURS = ("green", "yellow", "blue", "red", "magenta", "cyan", "bright_yellow", "bright_green", "bright_magenta")
"""Terminal colours of labels, in the order of the model's labels. After the last colour, the first is used again."""


def say(text: str, *, err: bool = False, nl: bool = True, safe: bool = False) -> None:
    """Write text to standard output, or to standard error. All commands write by this function.

    Args:
        text: one line or several; what strangers chose in it (names, labels, cards) is `printable` already, as a line
            break in it would look like one of ours.
        err: whether to write to standard error.
        nl: whether to end the line.
        safe: whether the text is JSON, or has codes of the terminal that are ours. Without, such codes are escaped.
    """
    typer.echo(text if safe else "\n".join(map(printable, text.split("\n"))), err=err, nl=nl)


def complain(text: str) -> None:
    """Write one line to standard error, whatever is in the text."""
    say(printable(text), err=True)


def present(form: Form, data: Any, text: str) -> None:
    """Write data as JSON, or as the text that is made of them."""
    say(json_document(data) if form is Form.JSON else text, nl=False, safe=form is Form.JSON)


@contextmanager
def writing(output: Path | None) -> Iterator[Write]:
    """Yield a function that writes text to a file, or to standard output when `output` is None.

    The file appears under its name only when the block ends without an exception: no reader sees half of it.

    Raises:
        ConfigError: the file cannot be written.
    """
    if output is None:
        yield lambda text: say(text, nl=False, safe=True)
        return
    with replacing(output) as file:
        yield lambda text: (file.write(text.encode()), None)[1]


def say_limits(card: ModelCard) -> None:
    """Print on standard error what a model cannot promise that learnt from few clips or speakers."""
    if card.limits:
        complain(f"note: model '{card.name}': {card.limits}")


def make_folder(folder: Path, *, file: str = ".emovox") -> None:
    """Make a folder for output, with its parents, and check that a file can be written in it, before long work.

    A folder that exists stays as it is.

    Args:
        folder: the folder.
        file: name of the first file that will be written; it does not appear yet.

    Raises:
        ConfigError: the folder cannot be made, or the file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made ({error.strerror}); give another --output") from error
    check_writable(folder / file)


class InputFiles:
    """The files that a command reads: it never writes over one of them.

    Args:
        files: their paths. Paths that do not exist are left out.
    """

    def __init__(self, files: Iterable[str | Path]) -> None:
        self._identities = {identity for file in files if (identity := _identity(file)) is not None}

    def spare(self, *outputs: Path | None) -> None:
        """Check that none of the outputs is one of the inputs, also under another name such as a link.

        Raises:
            ConfigError: an output is an input.
        """
        for output in outputs:
            if output is not None and _identity(output) in self._identities:
                raise ConfigError(f"{output}: got an input as the output, expected another file; it would be lost")


def spare_other_kind(path: Path | None, *, suffix: str, head: bytes | None) -> None:
    """Check that an output replaces no file of another kind.

    Args:
        path: the output; None is standard output.
        suffix: suffix of its kind. A text of this suffix may be replaced.
        head: first bytes of its kind. A file that begins so may be replaced; None: only the suffix counts.

    Raises:
        ConfigError: the file exists, is not empty, and is of another kind.
    """
    try:
        if path is None or not path.is_file():
            return
        with path.open("rb") as file:
            found = file.read(_HEAD_BYTES)
    except OSError:  # writing raises the error
        return
    is_text = path.suffix.lower() == suffix.lower() and b"\0" not in found
    if found and not is_text and not (head and found.startswith(head)):
        raise ConfigError(
            f"{path}: got an existing file of another kind, expected none, or one that ends in {suffix}; give another "
            "name, or remove that file first"
        )


def coloured(stream: object) -> bool:
    """Return whether to colour text on a stream: it is a terminal, and NO_COLOR is not set (no-color.org)."""
    return bool(getattr(stream, "isatty", bool)()) and not os.environ.get("NO_COLOR")


def columns(rows: Sequence[Sequence[str]], *, gap: int = 2, styled: bool = False) -> str:
    r"""Return rows of cells as text with aligned columns.

    Cells are measured by their width on a terminal, where Chinese characters take two places. `gap` is the number of
    spaces between two columns. Cells become printable, but with `styled` they keep the codes of the terminal.

    >>> columns([["file", "label"], ["日本.wav", "sad"]])
    'file      label\n日本.wav  sad\n'
    """
    rows = rows if styled else [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = [
        "".join(cell + " " * (w + gap - _width(cell)) for cell, w in zip(row, widths, strict=True)) for row in rows
    ]
    return "".join(line.rstrip() + "\n" for line in lines)


class Bar:
    """A progress bar over several recordings: one line on standard error, on terminals only. A context manager.

    It does not use rich: its bar costs 50 ms at start, and it captures standard output, where the results go.

    Args:
        total: number of recordings, or of bytes.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._start = self._drawn = time.monotonic()
        self._enabled = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def update(self, done: float, text: str) -> None:
        """Show that `done` of the total is finished, with `text` behind; a fraction counts the recording in hand."""
        now = time.monotonic()
        if not self._enabled or now - self._drawn < REDRAW_SECONDS:
            return
        self._drawn = now
        share = min(1.0, done / self._total)
        filled = round(share * BAR_WIDTH)
        left = (now - self._start) * (1 - share) / share if share else 0.0
        line = f"{'█' * filled}{'░' * (BAR_WIDTH - filled)} {share:4.0%}  {clock(left)} left  {printable(text)}"
        say(ERASE_LINE + line[: shutil.get_terminal_size().columns - 1], nl=False, err=True, safe=True)

    def clear(self) -> None:
        """Erase the bar before other text is written. The next update draws it again."""
        if self._enabled and self._drawn > self._start:
            say(ERASE_LINE, nl=False, err=True, safe=True)

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()


def clock(seconds: float) -> str:
    """Return a duration in seconds as m:ss or h:mm:ss.

    >>> clock(3.4), clock(7384)
    ('0:03', '2:03:04')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Return device and inode of a regular file, which all its names share; None for anything else."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in COLOUR_CODE.sub("", text))
