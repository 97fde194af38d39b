"""Progress of work on many clips, and of a training."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from emovox.cli.console import ERASE_LINE, Bar
from emovox.schema.progress import Progress

LINE_SECONDS = 30.0
"""Time between two lines in a log."""


@contextmanager
def counting(what: str) -> Iterator[Progress]:
    """Give a function that shows "<done> of <total> <what>": by a bar on terminals, elsewhere a line now and then."""
    in_place, told = sys.stderr.isatty(), time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal told
        bar.update(done / total, f"{done} of {total} {what}")
        now = time.monotonic()
        if not in_place and now - told >= LINE_SECONDS:
            told = now
            typer.echo(f"  {done} of {total} {what}", err=True)

    with Bar(1) as bar:
        yield show


class Steps:
    """Tells how far a stage of a training is: in one line on terminals, elsewhere by a line now and then."""

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty()
        self._told = time.monotonic()

    def __call__(self, done: int, total: int, sentence: str) -> None:
        """Show a sentence; the last one of a stage stays."""
        now, ended = time.monotonic(), done == total
        line = f"  step {done} of {total}, {sentence}"
        if self._in_place:
            typer.echo(f"{ERASE_LINE}{line}", nl=ended, err=True)
        elif ended or now - self._told >= LINE_SECONDS:
            self._told = now
            typer.echo(line, err=True)
