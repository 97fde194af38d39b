"""Work in several processes: order, errors, and that a worker does not outlive its parent's interest."""

from __future__ import annotations

import os
from functools import partial

import pytest

from emovox.features.parallel import parallel


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
