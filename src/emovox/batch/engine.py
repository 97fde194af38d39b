"""Engines run the workers. `answers` gets exactly one answer for each recording, even if workers die."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Protocol

from emovox.batch.job import Answer, Item, Job, path_of, stamp_of
from emovox.schema.errors import WorkerError
from emovox.schema.result import Notice

MOST_LOST = 10
"""Recordings that may all lack an answer because they are bad. If there are more, the workers are at fault."""


class Engine(Protocol):
    """Processes on this machine, or on many.

    Attributes:
        retries: how often a recording without an answer is tried again, alone.
    """

    retries: int

    def run(self, job: Job, items: Sequence[Item], *, alone: bool) -> Generator[Answer]:
        """Analyse recordings. Closing the generator ends all workers.

        Args:
            job: what to do.
            items: the recordings, in the order in which to start them.
            alone: whether a worker may have only one recording at a time, so that its death concerns no other.

        Yields:
            Answers in any order. Recordings on which a worker died are left out. An answer may come twice.

        Raises:
            WorkerError: there are no workers, or they die on every recording.
        """


def answers(engine: Engine, job: Job, items: Sequence[Item]) -> Generator[Answer]:
    """Yield one answer for each recording: an error for those on which every worker dies.

    Raises:
        WorkerError: as `Engine.run`, or no recording got an answer.
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
                "emovox predict, on the machine that does the work"
            )
    for item in left.values():
        stamp = stamp_of(path_of(job.directory, item.name))
        yield Answer(item.index, stamp, error=Notice(WorkerError.code, _GIVEN_UP.format(1 + engine.retries)))


_GIVEN_UP = (
    "{} workers died on this recording (out of memory?), expected an answer; the other recordings are done: try this "
    "one alone with emovox predict"
)
