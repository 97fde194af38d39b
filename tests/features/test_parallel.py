"""Work in several processes: order, errors, and that a worker does not outlive its parent's interest."""

from __future__ import annotations

import os
import time
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import pytest

from emovox.features.parallel import AHEAD, parallel
from emovox.schema.errors import WorkerError


def add(item: int, *, amount: int) -> tuple[int, int]:
    return item + amount, os.getpid()


def refuse(item: int) -> int:
    if item == 3:
        raise ValueError("got 3")
    return item


def test_answers_come_in_order_from_other_processes() -> None:
    answers = list(parallel(partial(add, amount=10), range(20), 2))
    assert [value for value, _ in answers] == list(range(10, 30))
    assert os.getpid() not in {process for _, process in answers}


def test_an_error_reaches_the_caller_after_the_answers_before_it() -> None:
    seen = []
    with pytest.raises(ValueError, match="got 3"):  # noqa: PT012 - the loop is what raises
        for value in parallel(refuse, range(100), 1):
            seen.append(value)
    assert seen == [0, 1, 2]


def test_nothing_to_do_starts_nothing() -> None:
    assert list(parallel(refuse, [], 2)) == []


def die(item: int) -> int:
    if item == 3:
        os._exit(9)
    return item


def test_a_worker_that_dies_ends_the_work_with_a_clear_error() -> None:
    with pytest.raises(WorkerError, match=r"^a worker process died, expected a result; .* fewer workers"):
        list(parallel(die, range(20), 2))
    assert active_children() == []


def sleep(item: int) -> int:
    time.sleep(60 if item else 0)
    return item


def test_an_iterator_that_is_closed_kills_what_is_at_work() -> None:
    answers = parallel(sleep, range(20), 2)
    assert next(iter(answers)) == 0
    begun = time.monotonic()
    answers.close()  # type: ignore[attr-defined]
    assert time.monotonic() - begun < 20
    assert active_children() == []


def touch_file(item: int, *, folder: Path) -> int:
    (folder / str(item)).touch()
    time.sleep(0 if item else 2)
    return item


def test_a_slow_item_holds_up_the_others(tmp_path: Path) -> None:
    """Their answers wait in memory, so there must not be many."""
    answers = parallel(partial(touch_file, folder=tmp_path), range(100), 2)
    assert next(iter(answers)) == 0
    assert len(list(tmp_path.iterdir())) <= 2 * AHEAD
