"""Processes on this machine: all answers, whoever dies, and nobody is left."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from emovox.batch import local
from emovox.batch.job import Answer, Item
from emovox.batch.local import LocalEngine
from emovox.schema.errors import WorkerError
from emovox.schema.processes import usable_cores
from tests.batch.archives import (
    Dying,
    Slow,
    Stillborn,
    analysed,
    files_of,
    opened,
    rows_of,
    same_rows,
    unobserved,
    write_archive,
    write_bad,
    write_recording,
)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return write_archive(tmp_path)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.parquet"


def test_two_processes_give_the_rows_of_one(calls: Path, output: Path, tmp_path: Path) -> None:
    write_bad(calls)
    if os.name == "posix":
        (calls / "\udcff\n.wav").symlink_to("0/00.wav")
    analysed(calls, tmp_path / "one.parquet")
    with opened(calls, output) as archive:
        tally = archive.run(LocalEngine(2), unobserved)
    assert tally.failed == 5
    assert same_rows(output, tmp_path / "one.parquet")
    assert active_children() == []


def test_a_killed_worker_costs_nothing(calls: Path, output: Path, tmp_path: Path) -> None:
    analysed(calls, tmp_path / "one.parquet")
    killed: list[int] = []

    def kill(item: Item, answer: Answer) -> None:
        if not killed:
            killed.extend(child.pid for child in active_children() if child.pid)
            for process in killed:
                os.kill(process, signal.SIGKILL)

    with opened(calls, output) as archive:
        archive.run(LocalEngine(2, prepare=Slow), kill)
    assert len(killed) == 2
    assert same_rows(output, tmp_path / "one.parquet")


def test_a_recording_that_kills_its_workers_is_a_row_with_an_error(calls: Path, output: Path) -> None:
    for name in ("kill", "once", "raise"):
        write_recording(calls / "1" / f"{name}.wav")
    with opened(calls, output) as archive:
        tally = archive.run(LocalEngine(2, prepare=Dying), unobserved)
    assert tally.errors == {"worker_died": 2}
    assert {row["file"] for row in rows_of(output) if row["error_code"]} == {"1/kill.wav", "1/raise.wav"}
    assert len(files_of(output)) == 11


def test_workers_that_die_at_once_are_given_up(calls: Path, output: Path) -> None:
    for number in range(8):
        write_recording(calls / f"{number}.wav")
    with (
        pytest.raises(WorkerError, match=r"^11 worker processes have died .* with exit code 3, expected answers"),
        opened(calls, output) as archive,
    ):
        archive.run(LocalEngine(2, prepare=Stillborn), unobserved)
    assert active_children() == []


def test_an_interrupt_leaves_no_worker(calls: Path, output: Path) -> None:
    def stop(item: Item, answer: Answer) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), opened(calls, output) as archive:
        archive.run(LocalEngine(2), stop)
    assert active_children() == []


def test_as_many_workers_as_cores() -> None:
    assert LocalEngine().workers == usable_cores() >= 1


def test_pipes_of_any_type_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are no `Connection` on Windows."""
    answer = Answer(0, None)

    class Pipe:
        def __init__(self) -> None:
            self.recv_bytes: Callable[[], bytes] = lambda: msgspec.msgpack.encode(answer)
            self.close = lambda: None

    pool, pipe = local._Pool(lambda _pipe: None, [], ahead=1), Pipe()
    pending = deque([Item(0, b"a.wav", 0)])
    pool._workers[pipe] = SimpleNamespace(pipe=pipe, pending=pending, close=pipe.close)  # type: ignore[assignment]
    rounds = iter([[pipe]])
    monkeypatch.setattr(local, "wait", lambda _pipes: next(rounds))
    monkeypatch.setattr(pool, "_assign", lambda _count: None if pending else pool._workers.clear())
    assert list(pool.answers(1)) == [answer]
