"""Signals while an upload is in flight, to one process or to a whole group of them; workers that die."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emovox.serving.settings import Settings
from emovox.serving.workers import MOST_YOUNG_DEATHS, Workers, WorkersError
from tests.serving.process import Process, service
from tests.serving.running import BOUNDARY, PATIENCE, form, wav, word
from tests.toy_models import write_toy

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and workers as on POSIX")

POLLED_SECONDS = 1.0
"""Until signals have been taken and, where there are workers, told to them."""


class Upload:
    """An upload of which half has been sent."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        body = form(wav(word()))
        self._rest = body[len(body) // 2 :]
        self._connection.putrequest("POST", "/v1/emotions")
        self._connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        self._connection.putheader("Content-Length", str(len(body)))
        self._connection.endheaders(body[: len(body) // 2])
        time.sleep(POLLED_SECONDS)  # until it is somebody's

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
def uploading(folder: Path, workers: str) -> Iterator[tuple[Process, Upload]]:
    with service(folder, "--workers", workers, "--shutdown-seconds", "300") as found:
        found.get("/healthz")
        with contextlib.closing(Upload(found.port)) as upload:
            yield found, upload


def workers_of(found: Process) -> list[int]:
    pid = found.process.pid
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_a_termination_of_the_whole_group_is_no_haste(folder: Path) -> None:
    with uploading(folder, "2") as (found, upload):
        pids = workers_of(found)
        assert len(pids) == 2
        for pid in (*pids, found.process.pid):
            os.kill(pid, signal.SIGTERM)
        time.sleep(POLLED_SECONDS)
        assert upload.finish() == 200
        assert found.wait() == 0
        assert not any("worker died" in line for line in found.lines)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGTERM])
def test_a_second_hang_up_is_no_haste(folder: Path, workers: str, first: signal.Signals) -> None:
    with uploading(folder, workers) as (found, upload):
        for number in (first, signal.SIGHUP):
            found.process.send_signal(number)
            time.sleep(POLLED_SECONDS)
        assert upload.finish() == 200
        assert found.wait() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGTERM])
def test_haste_cuts_what_is_in_flight(folder: Path, workers: str, first: signal.Signals) -> None:
    with uploading(folder, workers) as (found, upload):
        for number in (first, signal.SIGTERM):
            found.process.send_signal(number)
            time.sleep(0.05)
        assert upload.is_cut()
        found.wait()
    assert list((folder / "tmp").glob("emovox*")) == []


class Dying:
    """A worker that is dead at once; what it died of is known to those who have joined it."""

    pid = None

    def __init__(self, **_: object) -> None:
        self.sentinel, other = os.pipe()
        os.close(other)
        self.exitcode: int | None = None

    def start(self) -> None: ...

    def join(self) -> None:
        self.exitcode = 3


def test_it_says_what_a_worker_died_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("multiprocessing.context.SpawnContext.Process", Dying)
    monkeypatch.setattr(logging.getLogger("emovox.serving"), "propagate", True)  # as before a service was set up
    with (
        caplog.at_level(logging.ERROR, "emovox.serving"),
        socket.socket() as listener,
        pytest.raises(WorkersError, match="3 workers in a row died"),
    ):
        Workers(Settings(workers=1), listener, folder=tmp_path).run()
    assert [vars(record)["status"] for record in caplog.records] == [3] * MOST_YOUNG_DEATHS
