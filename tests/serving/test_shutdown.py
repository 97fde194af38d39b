"""Signals while an upload is in flight, to one process or to its whole group."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emovox.testing import write_toy
from tests.serving.process import Process, service
from tests.serving.running import BOUNDARY, PATIENCE, form, soon, wav, word

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and workers as on POSIX")

POLLED_SECONDS = 1.0
"""Seconds until the process has handled a signal and passed it to its workers."""


class HalfUpload:
    """An upload of which half has been sent."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        body = form(wav(word()))
        self._rest = body[len(body) // 2 :]
        self._connection.putrequest("POST", "/v1/emotions")
        self._connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        self._connection.putheader("Content-Length", str(len(body)))
        self._connection.endheaders(body[: len(body) // 2])
        time.sleep(POLLED_SECONDS)  # until a worker has accepted it

    def finish(self) -> int:
        """Send the other half; return the status."""
        self._connection.send(self._rest)
        return self._connection.getresponse().status

    def is_cut(self) -> bool:
        """Wait for an answer to the first half."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self._connection.getresponse().status >= 500
        return True

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_toy(tmp_path)
    (tmp_path / "tmp").mkdir()
    return tmp_path


@contextlib.contextmanager
def uploading(folder: Path, workers: str) -> Iterator[tuple[Process, HalfUpload]]:
    with service(folder, "--workers", workers, "--shutdown-seconds", "300") as server:
        server.get("/healthz")
        with contextlib.closing(HalfUpload(server.port)) as upload:
            yield server, upload


def workers_of(server: Process) -> list[int]:
    pid = server.process.pid
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_a_termination_of_the_whole_group_forces_nothing(folder: Path) -> None:
    with uploading(folder, "2") as (server, upload):
        pids = workers_of(server)
        assert len(pids) == 2
        for pid in (*pids, server.process.pid):
            os.kill(pid, signal.SIGTERM)
        time.sleep(POLLED_SECONDS)
        assert upload.finish() == 200
        assert server.wait() == 0
        assert not any("] died" in line for line in server.lines)


@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGTERM])
def test_a_second_hang_up_forces_nothing(folder: Path, first: signal.Signals) -> None:
    with uploading(folder, "1") as (server, upload):
        for number in (first, signal.SIGHUP):
            server.process.send_signal(number)
            time.sleep(POLLED_SECONDS)
        assert upload.finish() == 200
        assert server.wait() == 0


def test_a_hang_up_replaces_workers_one_by_one(folder: Path) -> None:
    """Uvicorn finishes what is in flight."""
    with uploading(folder, "2") as (server, upload):
        before = workers_of(server)
        for pid in (*before, server.process.pid):
            os.kill(pid, signal.SIGHUP)
        time.sleep(POLLED_SECONDS)
        assert upload.finish() == 200
        assert soon(lambda: len(now := workers_of(server)) == 2 and not set(now) & set(before))
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0


@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGTERM])
def test_a_forced_exit_cuts_what_is_in_flight(folder: Path, first: signal.Signals) -> None:
    with uploading(folder, "1") as (server, upload):
        for number in (first, signal.SIGTERM):
            server.process.send_signal(number)
            time.sleep(0.05)
        assert upload.is_cut()
        assert server.wait() == 0
    assert list((folder / "tmp").glob("emovox*")) == []


def test_a_second_interrupt_from_the_terminal_forces_the_exit_of_workers(folder: Path) -> None:
    with uploading(folder, "2") as (server, upload):
        for _ in range(2):
            for pid in (*workers_of(server), server.process.pid):
                os.kill(pid, signal.SIGINT)
            time.sleep(POLLED_SECONDS)
        assert upload.is_cut()
        server.wait()
    assert list((folder / "tmp").glob("emovox*")) == []
