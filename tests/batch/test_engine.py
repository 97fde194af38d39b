"""One answer for each recording, whatever an engine does."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from emovox.batch.engine import MOST_LOST, answers
from emovox.batch.job import Answer, Item, Job
from emovox.schema.errors import WorkerError
from tests.batch.test_table import SETTINGS, result

JOB = Job("/calls", "toy", SETTINGS)


class Forgetful:
    """Leaves out given recordings in its first passes, and gives the others twice."""

    def __init__(self, *lost: set[int], retries: int = 1) -> None:
        self.retries, self.passes = retries, list(lost)
        self.asked: list[tuple[list[int], bool]] = []

    def run(self, job: Job, items: Sequence[Item], *, alone: bool) -> Generator[Answer]:  # noqa: ARG002
        self.asked.append(([item.index for item in items], alone))
        lost = self.passes.pop(0) if self.passes else set()
        for item in [*items, *items]:
            if item.index not in lost:
                yield Answer(item.index, (1, 1), result())


def items(count: int) -> list[Item]:
    return [Item(index, b"%d.wav" % index, 1) for index in range(count)]


def test_doubles_are_dropped_and_what_was_left_out_is_asked_for_again_alone() -> None:
    engine = Forgetful({1, 3})
    given = list(answers(engine, JOB, items(5)))
    assert sorted(answer.index for answer in given) == [0, 1, 2, 3, 4]
    assert engine.asked == [([0, 1, 2, 3, 4], False), ([1, 3], True)]
    assert not [answer for answer in given if answer.error]


def test_a_recording_that_never_gets_an_answer_is_an_error() -> None:
    engine = Forgetful({1, 3}, {3}, {3}, retries=2)
    errors = {answer.index: answer.error for answer in answers(engine, JOB, items(5)) if answer.error}
    assert list(errors) == [3]
    assert errors[3].code == "worker_died"
    assert errors[3].message.startswith("3 workers died on this recording")
    assert len(engine.asked) == 3


def test_no_answers_at_all_are_no_fault_of_the_recordings() -> None:
    few, many = items(MOST_LOST), items(MOST_LOST + 1)
    assert len([answer for answer in answers(Forgetful(*[set(range(99))] * 9), JOB, few) if answer.error]) == MOST_LOST
    with pytest.raises(WorkerError, match=rf"no answer for any of {len(many)} recordings"):
        list(answers(Forgetful(*[set(range(99))] * 9), JOB, many))


def test_nothing_to_do_asks_for_nothing(tmp_path: Path) -> None:
    engine = Forgetful()
    assert list(answers(engine, JOB, [])) == []
    assert engine.asked == []
