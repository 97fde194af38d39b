"""Progress of a training on standard error."""

from __future__ import annotations

from contextlib import AbstractContextManager

from emovox.cli.console import complain
from emovox.cli.progress import Steps, counting
from emovox.schema.progress import Progress
from emovox.workflow import Watcher


class Printer(Watcher):
    """Prints progress on standard error."""

    def __init__(self) -> None:
        self.steps = Steps()

    def progress(self, title: str) -> AbstractContextManager[Progress]:
        """Return a context that counts clips."""
        return counting(title)

    def say(self, sentence: str) -> None:
        """Print a message."""
        complain(sentence)

    def fold(self, done: int, total: int, sentence: str) -> None:
        """Print a message about a fold."""
        complain(f"[{done}/{total}] {sentence}")
