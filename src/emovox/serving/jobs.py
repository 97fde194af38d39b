"""Jobs: recordings too long for one answer. Each is a folder with its state, which all workers can read."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Any, Literal

import msgspec

from emovox.schema.result import Notice
from emovox.serving.errors import BusyError, CancelledError, NotFoundError, WorkerLostError
from emovox.serving.workplace import is_alive

Status = Literal["queued", "running", "done", "failed"]

_STATE = "state.json"
_NEW = "state.new"
_ID = re.compile(r"[0-9A-Za-z_-]{16,64}")


_NOTHING = msgspec.Raw(b"null")


class Job(msgspec.Struct, frozen=True):
    """A job: `progress` from 0 to 1, at the end the row of the result as JSON, or why there is none."""

    id: str
    status: Status
    progress: float
    result: msgspec.Raw = _NOTHING
    error: Notice | None = None


class _State(msgspec.Struct, frozen=True):
    """What lies in the folder: the job, which process works on it, and when it may be forgotten."""

    job: Job
    worker: int
    expires: float | None


class JobStore:
    """The jobs of all workers, in one private folder. Of the audio nothing lies there, only states and results.

    The folder of a job is its whole truth: without it the job is cancelled, which its worker learns when it next
    writes its progress.

    Args:
        folder: an existing folder that only this user may read.
        most: jobs that there may be, finished ones included.
        seconds: how long a finished job is kept.
    """

    def __init__(self, folder: Path, *, most: int, seconds: float) -> None:
        self._folder, self._most, self._seconds = folder, most, seconds

    def create(self) -> Job:
        """Make a job, queued.

        Raises:
            BusyError: there are too many.
        """
        self.sweep()
        if sum(1 for _ in self._folder.iterdir()) >= self._most:
            raise BusyError(
                f"{self._most} jobs are waiting, running or kept, which is the limit; "
                "delete finished ones (DELETE /v1/jobs/ID), or try again later"
            )
        job = Job(secrets.token_urlsafe(18), "queued", 0.0)
        (self._folder / job.id).mkdir(mode=0o700)
        self.write(job)
        return job

    def write(self, job: Job) -> None:
        """Put down the state of a job.

        Raises:
            CancelledError: the job was deleted.
        """
        ended = job.status in ("done", "failed")
        state = _State(job, os.getpid(), time.time() + self._seconds if ended else None)
        folder = self._folder / job.id
        try:
            (folder / _NEW).write_bytes(msgspec.json.encode(state))
            (folder / _NEW).replace(folder / _STATE)
        except FileNotFoundError:
            raise CancelledError("the job was deleted") from None

    def read(self, name: str) -> Job:
        """Find a job.

        Raises:
            NotFoundError: there is none of this name (any more).
        """
        state = self._read(name) if _ID.fullmatch(name) else None
        if state is None or (state.expires is not None and state.expires < time.time()):
            raise NotFoundError(
                f"got no job of this name, expected one at work, or ended less than {self._seconds:g} s ago; "
                "send the recording again"
            )
        if state.expires is None and not is_alive(state.worker):
            notice = Notice(WorkerLostError.code, "the process that worked on it has ended; send the recording again")
            return Job(name, "failed", state.job.progress, error=notice)
        return state.job

    def delete(self, name: str) -> None:
        """Forget a job; one that is at work stops.

        Raises:
            NotFoundError: as `read`.
        """
        self.read(name)
        self._remove(name)

    def sweep(self) -> None:
        """Forget the jobs whose time is over."""
        now = time.time()
        for name in os.listdir(self._folder):
            state = self._read(name)
            if not _ID.fullmatch(name) or (state is not None and _is_over(state, now)):
                self._remove(name)

    def _remove(self, name: str) -> None:
        """Take the name away first: then no worker can put a state into what is being removed."""
        with contextlib.suppress(FileNotFoundError):  # another worker was faster
            gone = (self._folder / name).rename(self._folder / f"{name}.gone")
            shutil.rmtree(gone, ignore_errors=True)

    def _read(self, name: str) -> _State | None:
        try:
            data = (self._folder / name / _STATE).read_bytes()
        except OSError:  # deleted, or not yet written
            return None
        return msgspec.json.decode(data, type=_State)


def answer(job: Job) -> dict[str, Any]:
    """Put a job in the form of an answer: `result` and `error` stand beside `job`."""
    told: dict[str, Any] = {"job": {"id": job.id, "status": job.status, "progress": round(job.progress, 3)}}
    if job.status == "done":
        told["result"] = job.result
    if job.error is not None:
        told["error"] = job.error
    return told


def _is_over(state: _State, now: float) -> bool:
    return state.expires < now if state.expires is not None else not is_alive(state.worker)
