"""Progress of work on many clips."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from emovox.cli.console import Bar
from emovox.schema.progress import Progress


@contextmanager
def counting(what: str) -> Iterator[Progress]:
    """Give a function that shows a bar and "<done> of <total> <what>" on terminals while the block lasts."""
    with Bar(1) as bar:
        yield lambda done, total: bar.update(done / total, f"{done} of {total} {what}")
