"""Jobs for recordings too long for one answer. Each job is a folder with its state, which all workers can read."""

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

from emovox.schema.processes import is_running
from emovox.schema.result import Notice
from emovox.serving.errors import BusyError, CancelledError, InternalError, NotFoundError, WorkerLostError

Status = Literal["queued", "running", "done", "failed"]

_STATE = "state.json"
_NEW = "state.new"
_ID = re.compile(r"[0-9A-Za-z_-]{16,64}")

_NOTHING = msgspec.Raw(b"null")
_UNWRITTEN = Notice(InternalError.code, "the end of the job could not be written: the disk may be full; try again")


class AnalysisJob(msgspec.Struct, frozen=True):
    """The state of a job: `progress` from 0 to 1; at the end `result`, a row of JSON, or `error`."""

    id: str
    status: Status
    progress: float
    result: msgspec.Raw = _NOTHING
    error: Notice | None = None


class _State(msgspec.Struct, frozen=True):
    """The content of a state file: the job, the process that works on it, and when it expires (seconds since 1970)."""

    job: AnalysisJob
    worker: int
    expires: float | None


class JobStore:
    """The jobs of all workers, in one private folder. It has states and results, never audio.

    A job exists as long as its folder does. Deleting the folder cancels the job; its worker notices when it next writes
    the progress.

    Args:
        folder: an existing folder that only this user may read.
        most: greatest number of jobs, finished ones included.
        seconds: seconds for which a finished job is kept.
    """

    def __init__(self, folder: Path, *, most: int, seconds: float) -> None:
        self._folder, self._most, self._seconds = folder, most, seconds

    def create(self) -> AnalysisJob:
        """Create a job and return it, queued.

        Raises:
            BusyError: there are too many jobs.
            OSError: its state cannot be written.
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
        """Write a job's state.

        Raises:
            CancelledError: the job was deleted.
            OSError: the disk is full, for example; the earlier state remains.
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
        """Write that a job has failed.

        Raises:
            CancelledError: the job was deleted.
            OSError: as `write`. The state file is then emptied, which needs no room; all workers read it as a failure.
        """
        try:
            self.write(job)
        except OSError:
            os.truncate(self._folder / job.id / _STATE, 0)
            raise

    def read(self, name: str) -> AnalysisJob:
        """Return a job's state.

        Raises:
            NotFoundError: no job has this name, or it has expired.
        """
        state = self._read(name) if _ID.fullmatch(name) else None
        if state is None or (state.expires is not None and state.expires < time.time()):
            raise NotFoundError(
                f"got no job of this name, expected one at work, or ended less than {self._seconds:g} s ago; "
                "send the recording again"
            )
        if state.expires is None and not is_running(state.worker):
            notice = Notice(WorkerLostError.code, "the process that worked on it has ended; send the recording again")
            return AnalysisJob(name, "failed", state.job.progress, error=notice)
        return state.job

    def delete(self, name: str) -> None:
        """Delete a job; a running one stops.

        Raises:
            NotFoundError: as `read`.
        """
        self.read(name)
        self._remove(name)

    def sweep(self) -> None:
        """Delete the expired jobs."""
        now = time.time()
        for name in os.listdir(self._folder):
            if not _ID.fullmatch(name) or self._is_over(name, now):
                self._remove(name)

    def _is_over(self, name: str, now: float) -> bool:
        state = self._read(name)
        if state is None:  # it is being created, or its worker was killed at that moment
            return _changed(self._folder / name, default=now) + self._seconds < now
        return state.expires < now if state.expires is not None else not is_running(state.worker)

    def _remove(self, name: str) -> None:
        """Delete the folder of a job. It is renamed first, so that no worker can write a state into it meanwhile."""
        with contextlib.suppress(FileNotFoundError):  # another worker has deleted it
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
    """Return the JSON body of an answer: `job`, with `result` or `error` beside it once it has ended."""
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
