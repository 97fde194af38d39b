"""Progress of work on many clips, and of the steps of a training."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from emovox.cli.console import ERASE_LINE, Bar, complain, say
from emovox.schema.progress import Progress
from emovox.schema.text import printable

LINE_SECONDS = 30.0
"""Seconds between two lines of progress in a log: a short log, and a line soon enough to see that work continues."""


@contextmanager
def counting(what: str) -> Iterator[Progress]:
    """Yield a function that shows "<done> of <total> <what>": a bar on terminals, elsewhere a line every 30 s."""
    in_place, last_line = sys.stderr.isatty(), time.monotonic()

    def show(done: int, total: int) -> None:
        """Show the counts."""
        nonlocal last_line
        bar.update(done / total, f"{done} of {total} {what}")
        now = time.monotonic()
        if not in_place and now - last_line >= LINE_SECONDS:
            last_line = now
            complain(f"  {done} of {total} {what}")

    with Bar(1) as bar:
        yield show


class Steps:
    """Shows how far a stage of a training is: one line in place on terminals, elsewhere a line every 30 s."""

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty()
        self._last_line = time.monotonic()

    def __call__(self, done: int, total: int, sentence: str) -> None:
        """Show step `done` of `total` with a sentence. The last line of a stage stays on the terminal."""
        now, ended = time.monotonic(), done == total
        line = f"  step {done} of {total}, {sentence}"
        if self._in_place:
            say(f"{ERASE_LINE}{printable(line)}", nl=ended, err=True, safe=True)
        elif ended or now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            complain(line)
