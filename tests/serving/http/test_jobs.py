"""Jobs for recordings too long for one answer."""

from __future__ import annotations

import errno
import io
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile

from emovox.runtime.model import Model
from emovox.serving.errors import BusyError, CancelledError, NotFoundError
from emovox.serving.http import emotions, uploads
from emovox.serving.http.jobs import AnalysisJob, JobStore, job_body
from emovox.testing import RATE
from tests.serving.running import PATIENCE, Running, all_deleted, running, soon, wav, word


def ended(service: Running, path: str) -> dict[str, Any]:
    """Wait for the end of a job; return its last state."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        body: dict[str, Any] = service.ask("GET", path).json
        if "job" not in body or body["job"]["status"] in ("done", "failed"):
            return body
        assert 0 <= body["job"]["progress"] <= 1
        time.sleep(0.02)
    raise AssertionError("the job does not end")


def full(*_: object) -> int:
    """Fail as a write to a full disk does."""
    raise OSError(errno.ENOSPC, "No space left on device")


class TestJobs:
    def test_a_long_recording_becomes_a_job(
        self, toy: Model, tmp_path: Path, spools: list[uploads.Upload], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(emotions, "PROGRESS_SECONDS", 0.0)
        data = wav(np.concatenate([word(150.0)] * 20))
        with running(toy, tmp_path, answer_seconds=5.0) as service:
            answer = service.post(data)
            assert answer.status == 202
            job = answer.json["job"]
            assert (job["status"], job["progress"]) == ("queued", 0.0)
            assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
            body = ended(service, answer.headers["location"])
            assert body["job"] == {"id": job["id"], "status": "done", "progress": 1.0}
            assert len(body["result"]["segments"]) == 20
            assert body["result"]["model"]["name"] == "toy"
            assert service.ask("DELETE", answer.headers["location"]).status == 204
            assert service.ask("GET", answer.headers["location"]).json["error"]["code"] == "not_found"
        assert all_deleted(spools)

    def test_a_job_may_fail(self, toy: Model, tmp_path: Path) -> None:
        samples = np.concatenate([word()] * 10)
        samples[-10] = np.nan
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
        with running(toy, tmp_path, answer_seconds=5.0) as service:
            body = ended(service, service.post(file.getvalue()).headers["location"])
        assert body["job"]["status"] == "failed"
        assert body["error"]["code"] == "non_finite"

    def test_a_fault_in_a_job_is_told_and_logged(
        self, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        before = toy.run

        def faulty(batch: Any, *_: Any) -> Any:
            if threading.current_thread().name.startswith("emovox-job"):
                raise RuntimeError("a fault of ours")
            return before(batch)

        with running(toy, tmp_path, answer_seconds=5.0) as service:
            monkeypatch.setattr(toy, "run", faulty)
            body = ended(service, service.post(wav(np.concatenate([word()] * 10))).headers["location"])
        assert (body["job"]["status"], body["error"]["code"]) == ("failed", "internal")
        assert "its log has the details" in body["error"]["message"]
        assert "a fault of ours" in caplog.text

    def test_a_job_fails_when_the_disk_is_full(
        self, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        before, data = toy.run, wav(np.concatenate([word()] * 10))

        def filling(batch: Any, *_: Any) -> Any:
            if threading.current_thread().name.startswith("emovox-job"):
                monkeypatch.setattr(Path, "write_bytes", full)
            return before(batch)

        with running(toy, tmp_path, answer_seconds=5.0, max_jobs=1) as service:
            monkeypatch.setattr(toy, "run", filling)
            path = service.post(data).headers["location"]
            body = ended(service, path)
            assert (body["job"]["status"], body["error"]["code"]) == ("failed", "internal")
            assert "the disk may be full" in body["error"]["message"]
            assert soon(lambda: "cannot be written" in caplog.text)
            assert "No space left" in caplog.text
            assert service.ask("DELETE", path).status == 204
            assert service.post(data).status == 507
            monkeypatch.undo()
            assert service.post(data).status == 202  # no place is lost

    def test_a_disk_that_is_full_for_a_while_stops_no_job(
        self, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(emotions, "PROGRESS_SECONDS", 0.0)
        before, write = JobStore.write, list[str]()

        def crowded(store: JobStore, job: AnalysisJob) -> None:
            write.append(job.status)
            if job.status == "running":
                raise OSError(errno.ENOSPC, "No space left on device")
            before(store, job)

        monkeypatch.setattr(JobStore, "write", crowded)
        with running(toy, tmp_path, answer_seconds=5.0) as service:
            body = ended(service, service.post(wav(np.concatenate([word()] * 10))).headers["location"])
        assert body["job"]["status"] == "done"
        assert "running" in write

    def test_a_job_can_be_cancelled(
        self, toy: Model, tmp_path: Path, spools: list[uploads.Upload], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(emotions, "PROGRESS_SECONDS", 0.0)
        begun, gate, before = threading.Semaphore(0), threading.Event(), toy.run

        def held(batch: Any, *_: Any) -> Any:
            if threading.current_thread().name.startswith("emovox-job"):
                begun.release()
                assert gate.wait(PATIENCE)
            return before(batch)

        with running(toy, tmp_path, answer_seconds=5.0) as service:
            monkeypatch.setattr(toy, "run", held)
            path = service.post(wav(np.concatenate([word()] * 60))).headers["location"]
            assert begun.acquire(timeout=PATIENCE)
            assert service.ask("DELETE", path).status == 204
            gate.set()
            assert all_deleted(spools)
            assert service.ask("GET", path).status == 404
        metrics = service.service.metrics
        assert soon(lambda: 'emovox_jobs_total{outcome="cancelled"} 1.0' in metrics.text().decode())

    def test_deleting_what_waits_frees_it_and_what_works_still_counts(
        self, toy: Model, tmp_path: Path, spools: list[uploads.Upload], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, gate, before = threading.Semaphore(0), threading.Event(), toy.run

        def held(batch: Any, *_: Any) -> Any:
            if threading.current_thread().name.startswith("emovox-job"):
                begun.release()
                assert gate.wait(PATIENCE)
            return before(batch)

        data = wav(np.concatenate([word()] * 10))
        with running(toy, tmp_path, answer_seconds=5.0, max_jobs=2) as service:
            monkeypatch.setattr(toy, "run", held)
            works = service.post(data).headers["location"]
            assert begun.acquire(timeout=PATIENCE)
            for _ in range(2):
                waits = service.post(data).headers["location"]
                assert service.ask("DELETE", waits).status == 204
                assert all_deleted(spools[1:])
            assert service.ask("DELETE", works).status == 204
            assert service.post(data).status == 202  # one works, one waits
            refused = service.post(data)
            gate.set()
            assert (refused.status, refused.json["error"]["code"]) == (503, "busy")
            assert "jobs wait or run here" in refused.json["error"]["message"]
        assert all_deleted(spools)

    def test_they_are_bounded_in_number_and_forgotten_in_time(self, toy: Model, tmp_path: Path) -> None:
        data = wav(np.concatenate([word()] * 10))
        with running(toy, tmp_path, answer_seconds=5.0, max_jobs=1, job_seconds=1.0) as service:
            path = service.post(data).headers["location"]
            assert ended(service, path)["job"]["status"] == "done"
            refused = service.post(data)
            assert (refused.status, refused.json["error"]["code"]) == (503, "busy")
            time.sleep(1.1)
            assert service.ask("GET", path).status == 404
            assert service.post(data).status == 202

    def test_results_are_deleted_in_time_though_nobody_asks(
        self, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(emotions, "SWEEP_SECONDS", 0.02)
        with running(toy, tmp_path, answer_seconds=5.0, job_seconds=0.1) as service:
            assert service.post(wav(np.concatenate([word()] * 10))).status == 202
            deadline = time.monotonic() + PATIENCE
            while any(tmp_path.iterdir()) and time.monotonic() < deadline:
                time.sleep(0.02)
            assert not any(tmp_path.iterdir())

    def test_names_that_are_none(self, service: Running) -> None:
        for name in ("x", "..%2f..%2fetc", "a" * 24, "%00"):
            assert service.ask("GET", f"/v1/jobs/{name}").status == 404

    def test_shutdown_stops_them(self, toy: Model, tmp_path: Path, spools: list[uploads.Upload]) -> None:
        with running(toy, tmp_path, answer_seconds=5.0) as service:
            service.post(wav(np.concatenate([word()] * 200)))
        assert all_deleted(spools)


class TestJobStore:
    def test_a_job_whose_process_is_gone_has_failed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = JobStore(tmp_path, most=2, seconds=60)
        monkeypatch.setattr("os.getpid", lambda: 2**22 - 3)
        job = store.create()
        monkeypatch.undo()
        body = job_body(store.read(job.id))
        assert body["job"]["status"] == "failed"
        assert body["error"].code == "worker_lost"
        store.create()  # the lost one was swept
        store.create()
        with pytest.raises(BusyError, match="2 jobs are waiting, running or kept"):
            store.create()

    def test_one_that_was_deleted_cannot_be_written(self, tmp_path: Path) -> None:
        store = JobStore(tmp_path, most=2, seconds=60)
        job = store.create()
        store.delete(job.id)
        with pytest.raises(CancelledError):
            store.write(AnalysisJob(job.id, "running", 0.5))
        assert list(tmp_path.iterdir()) == []

    def test_nothing_is_put_into_one_that_is_being_deleted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, before = JobStore(tmp_path, most=2, seconds=60), shutil.rmtree
        job = store.create()

        def slow(folder: Path, **options: Any) -> None:
            with pytest.raises(CancelledError):
                store.write(AnalysisJob(job.id, "running", 0.5))
            before(folder, **options)

        monkeypatch.setattr("shutil.rmtree", slow)
        store.delete(job.id)
        assert list(tmp_path.iterdir()) == []

    def test_what_could_not_be_deleted_is_swept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = JobStore(tmp_path, most=1, seconds=60)
        monkeypatch.setattr("shutil.rmtree", Mock())
        store.delete(store.create().id)
        assert len(list(tmp_path.iterdir())) == 1
        monkeypatch.undo()
        store.sweep()
        assert list(tmp_path.iterdir()) == []

    def test_one_that_cannot_be_written_down_is_not_made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            JobStore(tmp_path, most=2, seconds=60).create()
        assert list(tmp_path.iterdir()) == []

    def test_one_whose_end_cannot_be_written_down_has_failed_for_all_workers(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, other = JobStore(tmp_path, most=2, seconds=60), JobStore(tmp_path, most=2, seconds=60)
        job = store.create()
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            store.fail(AnalysisJob(job.id, "failed", 0.5))
        monkeypatch.undo()
        body = other.read(job.id)
        assert body.status == "failed"
        assert body.error is not None
        assert body.error.code == "internal"
        other.sweep()
        assert len(list(tmp_path.iterdir())) == 1
        os.utime(tmp_path / job.id / "state.json", (0, 0))
        with pytest.raises(NotFoundError):
            other.read(job.id)
        other.sweep()
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_without_a_state_is_swept_in_time(self, tmp_path: Path) -> None:
        store = JobStore(tmp_path, most=2, seconds=60)
        (tmp_path / ("x" * 24)).mkdir()
        store.sweep()  # another worker may be about to fill it
        assert len(list(tmp_path.iterdir())) == 1
        os.utime(tmp_path / ("x" * 24), (0, 0))
        store.sweep()
        assert list(tmp_path.iterdir()) == []

    def test_a_finished_one_is_kept_from_its_end_on(self, tmp_path: Path) -> None:
        store = JobStore(tmp_path, most=2, seconds=0.0)
        job = store.create()
        assert store.read(job.id) == job
        store.write(AnalysisJob(job.id, "failed", 0.5))
        with pytest.raises(NotFoundError, match="expected one at work, or ended less than 0 s ago"):
            store.read(job.id)

    @pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "a" * 100, "x" * 24])
    def test_unknown_names(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(NotFoundError, match="got no job of this name"):
            JobStore(tmp_path, most=2, seconds=60).read(name)
