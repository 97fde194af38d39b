"""What does the work, and how each recording gets exactly one answer from it, whoever dies on the way."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Protocol

from emovox.batch.job import Answer, Item, Job, path_of, stamp_of
from emovox.schema.errors import WorkerError
from emovox.schema.result import Notice

MOST_LOST = 10
"""Recordings that may all be bad at once; more without a single answer, and it is the workers."""


class Engine(Protocol):
    """Processes on this machine, or on many.

    Attributes:
        retries: how often a recording that got no answer is tried again, alone.
    """

    retries: int

    def run(self, job: Job, items: Sequence[Item], *, alone: bool) -> Generator[Answer]:
        """Analyse recordings; what is left running when the generator is closed, is ended.

        Args:
            job: what to do.
            items: the recordings; the sooner ones are begun sooner.
            alone: no recording may share its worker's life with another.

        Yields:
            Answers in any order. Recordings on which a worker died are left out; one may even come twice.

        Raises:
            WorkerError: there are no workers, or they die whatever they get.
        """


def answers(engine: Engine, job: Job, items: Sequence[Item]) -> Generator[Answer]:
    """Give one answer for each recording, an error for those that no worker survives.

    Raises:
        WorkerError: as `Engine.run`.
    """
    left = {item.index: item for item in items}
    for attempt in range(1 + engine.retries):
        if not left:
            return
        with closing(engine.run(job, list(left.values()), alone=attempt > 0)) as coming:
            for answer in coming:
                if left.pop(answer.index, None) is not None:
                    yield answer
        if len(left) == len(items) > MOST_LOST:
            raise WorkerError(
                f"got no answer for any of {len(items)} recordings, expected one for each; try one of them with "
                "emovox predict, where the work shall be done"
            )
    for item in left.values():
        stamp = stamp_of(path_of(job.directory, item.name))
        yield Answer(item.index, stamp, error=Notice(WorkerError.code, _GIVEN_UP.format(1 + engine.retries)))


_GIVEN_UP = (
    "{} workers died on this recording (out of memory?), expected an answer; the others are done: try it alone with "
    "emovox predict"
)
