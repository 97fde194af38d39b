"""Uploads that are wrong, too large, too slow or too many: each gets a typed error, and no file is left."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile

from emovox.runtime.model import Model
from emovox.serving.app import Service
from emovox.serving.errors import RequestError
from emovox.serving.http import analysis, uploads
from emovox.serving.settings import ServiceSettings
from emovox.testing import RATE
from tests.serving.running import BOUNDARY, PATIENCE, Running, all_deleted, flood, form, running, soon, wav, word


@pytest.mark.parametrize(
    ("data", "path", "status", "code"),
    [
        (b"not audio at all" * 100, "/v1/emotions", 415, "undecodable"),
        (b"", "/v1/emotions", 422, "empty"),
        (wav(np.full(1600, np.nan, np.float32), kind="AU")[:0] or b"RIFF", "/v1/emotions", 415, "undecodable"),
        (wav(word()), "/v1/emotions?channels=5", 422, "no_such_channel"),
        (wav(word()), "/v1/emotions?channels=left", 400, "bad_request"),
        (wav(word()), "/v1/emotions?threshold=2", 400, "bad_request"),
        (wav(word()), "/v1/emotions?model=../../x", 400, "bad_request"),
        (wav(word()), "/v1/emotions?channels=0&channels=split", 400, "bad_request"),
        (wav(word()), "/v1/nothing", 404, "not_found"),
    ],
)
def test_bad_uploads(service: Running, data: bytes, path: str, status: int, code: str) -> None:
    answer = service.post(data, path)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert answer.json["error"]["message"]
    assert service.settled()


def test_a_misspelt_parameter_is_refused_before_the_recording_is_read(
    service: Running, spools: list[uploads.Upload]
) -> None:
    answer = service.post(wav(word()), "/v1/emotions?chanels=1")
    assert (answer.status, answer.json["error"]["code"]) == (400, "bad_request")
    assert answer.json["error"]["message"] == (
        "got a query parameter 'chanels', expected channels or threshold or coverage or modalities or model or "
        "adapt or speaker or track or raw; see /docs"
    )
    assert spools == []
    for method in ("GET", "DELETE"):
        answer = service.ask(method, "/v1/jobs/abc?wait=1")
        assert (answer.status, answer.json["error"]["message"]) == (
            400,
            "got a query parameter 'wait', expected none; see /docs",
        )


def test_nan_samples(service: Running) -> None:
    samples = word()
    samples[9000] = np.nan
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    answer = service.post(file.getvalue())
    assert (answer.status, answer.json["error"]["code"]) == (422, "non_finite")


EMPTY_PART = f"--{BOUNDARY}\r\nA: b\r\n\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        ("audio/wav", wav(word()), "expected multipart/form-data"),
        ("multipart/form-data", form(b"x"), "expected multipart/form-data"),
        (f"multipart/form-data; boundary={BOUNDARY}", form(b"x", part="audio"), "got 0 parts 'file'"),
        (
            f"multipart/form-data; boundary={BOUNDARY}",
            form(b"x").removesuffix(f"--{BOUNDARY}--\r\n".encode()) + form(b"y"),
            "got 2 parts 'file'",
        ),
        (f"multipart/form-data; boundary={BOUNDARY}", form(b"x")[:-9], "without its end"),
        (f"multipart/form-data; boundary={BOUNDARY}", b"nonsense", "damaged multipart"),
        (f"multipart/form-data; boundary={'b' * 300}", form(b"x"), "got a boundary that is not allowed"),
        (f"multipart/form-data; boundary={BOUNDARY}", form(bytes(200_000), part="audio"), "besides the file"),
        (f"multipart/form-data; boundary={BOUNDARY}", f"--{BOUNDARY}\r\n\r\n\r\n".encode() * 20, "or 16 parts"),
        (f"multipart/form-data; boundary={BOUNDARY}", EMPTY_PART * 17 + form(b"x"), "or 16 parts besides the file"),
        (f"multipart/form-data{';' * 2000} boundary={BOUNDARY}", form(b"x"), "got a content type of 20"),
    ],
)
def test_bad_forms(service: Running, kind: str, body: bytes, problem: str) -> None:
    answer = service.ask("POST", "/v1/emotions", body=body, headers={"Content-Type": kind})
    assert answer.status == 400
    assert problem in answer.json["error"]["message"]
    assert service.settled()


def test_sixteen_parts_besides_the_file_are_fine(service: Running) -> None:
    body = EMPTY_PART * 8 + form(wav(word())).removesuffix(f"--{BOUNDARY}--\r\n".encode())
    body += EMPTY_PART * 8 + f"--{BOUNDARY}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    assert service.ask("POST", "/v1/emotions", body=body, headers=kind).status == 200


def test_too_many_parts_of_one_chunk_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []
    before = uploads._Parts._part_begin

    def note(parts: uploads._Parts) -> None:
        begun.append(parts)
        before(parts)

    monkeypatch.setattr(uploads._Parts, "_part_begin", note)
    upload = uploads.Upload()
    with pytest.raises(RequestError, match="or 16 parts"):
        uploads._Form(f"multipart/form-data; boundary={BOUNDARY}", upload).feed(EMPTY_PART * 10_000)
    upload.close()
    assert len(begun) == 18


class TestSize:
    def test_two_gigabytes_are_refused_before_they_come(self, service: Running) -> None:
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as raw:
            raw.sendall(
                b"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            )
            answer = raw.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413")
        assert service.settled()

    def test_two_gigabytes_of_unknown_length_are_cut_off(
        self, toy: Model, tmp_path: Path, spools: list[uploads.Upload]
    ) -> None:
        sent = 0

        def endless() -> Iterator[bytes]:
            nonlocal sent
            yield form(b"")[:-20]
            while sent < 2_000_000_000:
                sent += 65536
                yield b"\0" * 65536

        with running(toy, tmp_path, max_upload_mb=2.0) as service:
            kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Transfer-Encoding": "chunked"}
            try:
                answer = service.ask("POST", "/v1/emotions", body=endless(), headers=kind)
            except OSError:  # the connection was reset while bytes were under way: the answer may be lost with it
                pass
            else:
                assert (answer.status, answer.json["error"]["code"]) == (413, "too_large")
            assert sent < 50_000_000
            assert service.settled()
        assert spools[0].size <= 2_200_000
        assert all_deleted(spools)

    def test_ten_hours_in_a_small_flac(self, service: Running, spools: list[uploads.Upload]) -> None:
        file = io.BytesIO()
        with soundfile.SoundFile(file, "w", 8000, 1, format="FLAC") as out:
            for _ in range(600):
                out.write(np.zeros(60 * 8000, np.int16))
        assert len(file.getvalue()) < 5_000_000
        begun = time.monotonic()
        answer = service.post(file.getvalue())
        assert (answer.status, answer.json["error"]["code"]) == (413, "too_long")
        assert time.monotonic() - begun < 5.0
        assert all_deleted(spools)

    def test_a_header_that_hides_the_length(self, toy: Model, tmp_path: Path) -> None:
        data = bytearray(wav(np.zeros(60 * 8000, np.int16), rate=8000, kind="FLAC"))
        data[21] &= 0xF0  # the number of samples, 36 bits
        data[22:26] = bytes(4)
        with running(toy, tmp_path, max_seconds=20.0) as service:
            answer = service.post(bytes(data))
            assert (answer.status, answer.json["error"]["code"]) == (413, "too_long")


class TestSlowness:
    def test_headers_without_end(self, service: Running) -> None:
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as raw:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
            flood(raw, b"y" * 65536)
        assert service.ask("GET", "/healthz").status == 200

    def test_trailers_have_an_end(self, service: Running) -> None:
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as raw:
            raw.sendall(
                b"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n5\r\n--b\r\n\r\n0\r\n"
            )
            flood(raw, b"X: " + b"y" * 65536)
        assert service.settled()

    def test_a_body_that_drips(
        self, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spools: list[uploads.Upload]
    ) -> None:
        monkeypatch.setattr(uploads, "GRACE_SECONDS", 0.5)
        with running(toy, tmp_path) as service:
            with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as raw:
                raw.sendall(
                    b"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
                    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
                )
                for _ in range(5):
                    raw.sendall(b"x")
                    time.sleep(0.05)
                assert service.post(wav(word())).status == 200  # the others are unharmed
                assert raw.recv(65536).startswith(b"HTTP/1.1 408")
            assert service.settled()
        assert all_deleted(spools)

    def test_a_full_disk(
        self,
        service: Running,
        spools: list[uploads.Upload],
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(uploads.Upload, "write", full)
        answer = service.post(wav(word()))
        assert (answer.status, answer.json["error"]["code"]) == (507, "full")
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("5", "close")
        assert all_deleted(spools)
        assert [vars(record)["reason"] for record in caplog.records if "disk is full" in record.message] == [
            "No space left on device"
        ]
        monkeypatch.undo()
        assert service.post(wav(word())).status == 200

    def test_another_fault_of_the_disk_is_a_fault(
        self, service: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(uploads.Upload, "write", broken)
        answer = service.post(wav(word()))
        assert (answer.status, answer.json["error"]["code"]) == (500, "internal")
        assert soon(lambda: "Input/output error" in caplog.text)

    def test_a_client_that_leaves_during_the_upload(self, service: Running, spools: list[uploads.Upload]) -> None:
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as raw:
            raw.sendall(
                b"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
            )
            time.sleep(0.2)
        assert service.settled()
        assert all_deleted(spools)


class TestPlaces:
    def test_slow_uploads_take_none(self, toy: Model, tmp_path: Path) -> None:
        head = (
            b"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        )
        with running(toy, tmp_path, predict_threads=1, max_waiting=0) as service, contextlib.ExitStack() as stack:
            for number in range(4):
                raw = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE))
                raw.sendall(head)
                if number == 2:
                    assert soon(lambda: service.service.analyses.receiving == 3)
                    assert service.post(wav(word())).status == 200
            assert soon(lambda: service.service.analyses.receiving == 4)
            refused = service.post(wav(word()))
            assert (refused.status, refused.json["error"]["code"]) == (503, "busy")
            assert "4 uploads are on their way" in refused.json["error"]["message"]

    def test_a_client_that_leaves_keeps_its_place_while_the_thread_works(
        self, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(logging.getLogger("asyncio"), "handlers", [caplog.handler])
        gate, begun, before = threading.Event(), threading.Semaphore(0), toy.run

        def held(batch: Any, *_: Any) -> Any:
            begun.release()
            assert gate.wait(PATIENCE)
            return before(batch)

        with running(toy, tmp_path, predict_threads=1, max_waiting=0) as service:
            monkeypatch.setattr(toy, "run", held)
            body = form(wav(word()))
            with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as raw:
                kind = f"multipart/form-data; boundary={BOUNDARY}"
                head = f"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
                raw.sendall(f"{head}Content-Type: {kind}\r\n\r\n".encode() + body)
                assert begun.acquire(timeout=PATIENCE)
            assert soon(lambda: "emovox_uploads 0.0" in service.service.metrics.text().decode())
            assert service.post(wav(word())).status == 503
            gate.set()
            assert service.settled()
        gc.collect()
        assert "never retrieved" not in caplog.text  # asyncio would log it with the name of the file


def test_an_analysis_that_the_end_stops_is_told_so(toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = toy.run
    with running(toy, tmp_path) as service:

        def stopped(batch: Any, *_: Any) -> Any:
            service.service.analyses.cancel()
            return before(batch)

        monkeypatch.setattr(toy, "run", stopped)
        answer = service.post(wav(np.concatenate([word()] * 60)))
    assert (answer.status, answer.json["error"]["code"]) == (503, "shutting_down")


def test_split_counts_every_channel(toy: Model, tmp_path: Path) -> None:
    data = wav(np.stack([word()] * 4, axis=1))
    with running(toy, tmp_path, max_seconds=5.0) as service:
        assert service.post(data).status == 200
        answer = service.post(data, "/v1/emotions?channels=split")
        assert (answer.status, answer.json["error"]["code"]) == (413, "too_long")


def test_the_end_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "FORCED_STOP_SECONDS", 0.05)
    gate, left = threading.Event(), list[int]()
    analyses = analysis.AnalysisPool(ServiceSettings())
    analyses.job(Mock(), lambda: (gate.wait(PATIENCE), None)[1])
    analyses.forced_exit = True
    analyses.close()
    assert analyses.is_stuck
    monkeypatch.setattr("os._exit", left.append)
    Service.leave(cast(Service, SimpleNamespace(analyses=analyses)))
    assert left == [0]
    gate.set()
    analyses.forced_exit = False
    analyses.close()
    assert not analyses.is_stuck


def test_more_uploads_than_places(toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, begun, before = threading.Event(), threading.Semaphore(0), toy.run

    def held(batch: Any, *_: Any) -> Any:
        begun.release()
        assert gate.wait(PATIENCE)
        return before(batch)

    with running(toy, tmp_path, predict_threads=1, max_waiting=0) as service:
        monkeypatch.setattr(toy, "run", held)
        answers = []
        first = threading.Thread(target=lambda: answers.append(service.post(wav(word()))))
        first.start()
        assert begun.acquire(timeout=PATIENCE)
        refused = service.post(wav(word()))
        gate.set()
        first.join(PATIENCE)
        assert (refused.status, refused.json["error"]["code"]) == (503, "busy")
        assert int(refused.headers["retry-after"]) > 0
        assert answers[0].status == 200
        assert service.settled()
