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
from emovox.serving.errors import BusyError, CancelledError, InternalError, NotFoundError, WorkerLostError
from emovox.serving.workplace import is_alive

Status = Literal["queued", "running", "done", "failed"]

_STATE = "state.json"
_NEW = "state.new"
_ID = re.compile(r"[0-9A-Za-z_-]{16,64}")


_NOTHING = msgspec.Raw(b"null")
_UNWRITTEN = Notice(InternalError.code, "the end of the job could not be put down: the disk may be full; try again")


class AnalysisJob(msgspec.Struct, frozen=True):
    """A job: `progress` from 0 to 1, at the end the row of the result as JSON, or why there is none."""

    id: str
    status: Status
    progress: float
    result: msgspec.Raw = _NOTHING
    error: Notice | None = None


class _State(msgspec.Struct, frozen=True):
    """What lies in the folder: the job, which process works on it, and when it may be forgotten."""

    job: AnalysisJob
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

    def create(self) -> AnalysisJob:
        """Make a job, queued.

        Raises:
            BusyError: there are too many.
            OSError: its state cannot be put down.
        """
        self.sweep()
        if sum(1 for _ in self._folder.iterdir()) >= self._most:
            raise BusyError(
                f"{self._most} jobs are waiting, running or kept, which is the limit; "
                "delete finished ones (DELETE /v1/jobs/ID), or try again later"
            )
        job = AnalysisJob(secrets.token_urlsafe(18), "queued", 0.0)
        (self._folder / job.id).mkdir(mode=0o700)
        try:
            self.write(job)
        except OSError:
            self._remove(job.id)
            raise
        return job

    def write(self, job: AnalysisJob) -> None:
        """Put down the state of a job.

        Raises:
            CancelledError: the job was deleted.
            OSError: the disk is full, for example; the state before still stands.
        """
        ended = job.status in ("done", "failed")
        state = _State(job, os.getpid(), time.time() + self._seconds if ended else None)
        folder = self._folder / job.id
        try:
            (folder / _NEW).write_bytes(msgspec.json.encode(state))
            (folder / _NEW).replace(folder / _STATE)
        except FileNotFoundError:
            raise CancelledError("the job was deleted") from None
        except OSError:
            (folder / _NEW).unlink(missing_ok=True)
            raise

    def fail(self, job: AnalysisJob) -> None:
        """Put down that a job has failed.

        Raises:
            CancelledError: the job was deleted.
            OSError: as `write`; but now the state is empty, which takes no room, and tells all workers enough.
        """
        try:
            self.write(job)
        except OSError:
            os.truncate(self._folder / job.id / _STATE, 0)
            raise

    def read(self, name: str) -> AnalysisJob:
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
            return AnalysisJob(name, "failed", state.job.progress, error=notice)
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
            if not _ID.fullmatch(name) or self._is_over(name, now):
                self._remove(name)

    def _is_over(self, name: str, now: float) -> bool:
        state = self._read(name)
        if state is None:  # just being made, or its maker was killed
            return _changed(self._folder / name, default=now) + self._seconds < now
        return state.expires < now if state.expires is not None else not is_alive(state.worker)

    def _remove(self, name: str) -> None:
        """Take the name away first: then no worker can put a state into what is being removed."""
        with contextlib.suppress(FileNotFoundError):  # another worker was faster
            removed = (self._folder / name).rename(self._folder / f"{name}.gone")
            shutil.rmtree(removed, ignore_errors=True)

    def _read(self, name: str) -> _State | None:
        file = self._folder / name / _STATE
        try:
            return msgspec.json.decode(file.read_bytes(), type=_State)
        except OSError:  # deleted, or not yet written
            return None
        except msgspec.DecodeError:  # see `fail`
            ended = _changed(file, default=time.time())
            return _State(AnalysisJob(name, "failed", 0.0, error=_UNWRITTEN), os.getpid(), ended + self._seconds)


def job_body(job: AnalysisJob) -> dict[str, Any]:
    """Put a job in the form of an answer: `result` and `error` stand beside `job`."""
    body: dict[str, Any] = {"job": {"id": job.id, "status": job.status, "progress": round(job.progress, 3)}}
    if job.status == "done":
        body["result"] = job.result
    if job.error is not None:
        body["error"] = job.error
    return body


def _changed(path: Path, *, default: float) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # deleted in between
        return default
