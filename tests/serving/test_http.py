"""The HTTP side, by a real client: answers, jobs, limits, and uploads that mean harm."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.schema.result import ModelInfo, Report
from emovox.serving import emotions, uploads
from tests.serving.running import BOUNDARY, PATIENCE, Running, form, running, word
from tests.toy_models import RATE


def wav(samples: Any, *, rate: int = RATE, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    return file.getvalue()


@pytest.fixture
def spools(monkeypatch: pytest.MonkeyPatch) -> list[uploads.Upload]:
    """All uploads that were made; a test asks afterwards whether they were deleted."""
    made: list[uploads.Upload] = []
    before = uploads.Upload.__init__

    def note(self: uploads.Upload) -> None:
        before(self)
        made.append(self)

    monkeypatch.setattr(uploads.Upload, "__init__", note)
    return made


def all_deleted(spools: list[uploads.Upload]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not all(spool._file.closed for spool in spools):
        time.sleep(0.01)
    return bool(spools) and all(spool._file.closed for spool in spools)


def ended(service: Running, path: str) -> dict[str, Any]:
    """The job once it has ended."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        told: dict[str, Any] = service.ask("GET", path).json
        if "job" not in told or told["job"]["status"] in ("done", "failed"):
            return told
        assert 0 <= told["job"]["progress"] <= 1
        time.sleep(0.02)
    raise AssertionError("the job does not end")


def test_a_recording_gives_the_row_of_predict(service: Running, toy: Model, spools: list[uploads.Upload]) -> None:
    data = wav(np.concatenate([word(150.0), word(400.0)]))
    answer = service.post(data, name="ä/../a b.wav")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    result = Predictor(toy).predict(data)
    expected = json.loads(Report(ModelInfo("toy", "1.2.0"), (result,)).to_json())
    assert answer.json == {"model": expected["model"]} | expected["results"][0] | {"file": "a b.wav"}
    assert all_deleted(spools)
    assert service.settled()


def test_channels_and_threshold(service: Running) -> None:
    data = wav(np.stack([word(150.0), word(400.0)], axis=1))
    channels = {
        choice: {
            segment["channel"] for segment in service.post(data, f"/v1/emotions?channels={choice}").json["segments"]
        }
        for choice in ("mix", "split", "1")
    }
    assert channels == {"mix": {0}, "split": {0, 1}, "1": {1}}
    assert service.post(data, "/v1/emotions?threshold=1").json["label"] is None


@pytest.mark.parametrize(("kind", "codec"), [("webm", "libopus"), ("mp4", "aac")])
def test_what_browsers_and_phones_record(service: Running, kind: str, codec: str) -> None:
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        track = container.add_stream(codec, rate=48000, layout="mono")
        samples = np.interp(np.arange(0, 2.8, 1 / 48000), np.arange(word().size) / RATE, word())
        for first in range(0, samples.size, 960):
            part = samples[first : first + 960].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(part[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, first
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    answer = service.post(file.getvalue(), name=f"memo.{kind}")
    assert answer.status == 200
    assert [segment["channel"] for segment in answer.json["segments"]] == [0]


@pytest.mark.parametrize(
    ("data", "path", "status", "code"),
    [
        (b"not audio at all" * 100, "/v1/emotions", 415, "undecodable"),
        (b"", "/v1/emotions", 422, "empty"),
        (wav(np.full(1600, np.nan, np.float32), kind="AU")[:0] or b"RIFF", "/v1/emotions", 415, "undecodable"),
        (wav(word()), "/v1/emotions?channels=5", 422, "no_such_channel"),
        (wav(word()), "/v1/emotions?channels=left", 400, "bad_request"),
        (wav(word()), "/v1/emotions?threshold=2", 400, "bad_request"),
        (wav(word()), "/v1/nothing", 404, "not_found"),
    ],
)
def test_bad_uploads(service: Running, data: bytes, path: str, status: int, code: str) -> None:
    answer = service.post(data, path)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert answer.json["error"]["message"]
    assert service.settled()


def test_nan_samples(service: Running) -> None:
    samples = word()
    samples[9000] = np.nan
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    answer = service.post(file.getvalue())
    assert (answer.status, answer.json["error"]["code"]) == (422, "non_finite")


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
    ],
)
def test_bad_forms(service: Running, kind: str, body: bytes, problem: str) -> None:
    answer = service.ask("POST", "/v1/emotions", body=body, headers={"Content-Type": kind})
    assert answer.status == 400
    assert problem in answer.json["error"]["message"]
    assert service.settled()


class TestSize:
    def test_two_gigabytes_are_refused_before_they_come(self, service: Running) -> None:
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as raw:
            raw.sendall(
                b"POST /v1/emotions HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n"
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
    def test_headers_that_do_not_come(self, service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("emovox.serving.protocols.HEADER_SECONDS", 0.5)
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as raw:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHo")
            assert raw.recv(100) == b""

    def test_a_body_that_drips(
        self, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spools: list[uploads.Upload]
    ) -> None:
        monkeypatch.setattr(uploads, "GRACE_SECONDS", 0.5)
        with running(toy, tmp_path) as service:
            with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as raw:
                raw.sendall(
                    b"POST /v1/emotions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
                    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
                )
                for _ in range(5):
                    raw.sendall(b"x")
                    time.sleep(0.05)
                assert service.post(wav(word())).status == 200  # the others are unharmed
                assert raw.recv(65536).startswith(b"HTTP/1.1 408")
            assert service.settled()
        assert all_deleted(spools)

    def test_a_client_that_leaves_during_the_upload(self, service: Running, spools: list[uploads.Upload]) -> None:
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as raw:
            raw.sendall(
                b"POST /v1/emotions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
            )
            time.sleep(0.2)
        assert service.settled()
        assert all_deleted(spools)


def test_more_uploads_than_places(toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, begun, before = threading.Event(), threading.Semaphore(0), toy.run

    def held(batch: Any) -> Any:
        begun.release()
        assert gate.wait(PATIENCE)
        return before(batch)

    monkeypatch.setattr(toy, "run", held)
    with running(toy, tmp_path, predict_threads=1, max_waiting=0) as service:
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
            told = ended(service, answer.headers["location"])
            assert told["job"] == {"id": job["id"], "status": "done", "progress": 1.0}
            assert len(told["result"]["segments"]) == 20
            assert told["result"]["model"]["name"] == "toy"
            assert service.ask("DELETE", answer.headers["location"]).status == 204
            assert service.ask("GET", answer.headers["location"]).json["error"]["code"] == "not_found"
        assert all_deleted(spools)

    def test_a_job_may_fail(self, toy: Model, tmp_path: Path) -> None:
        samples = np.concatenate([word()] * 10)
        samples[-10] = np.nan
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
        with running(toy, tmp_path, answer_seconds=5.0) as service:
            told = ended(service, service.post(file.getvalue()).headers["location"])
        assert told["job"]["status"] == "failed"
        assert told["error"]["code"] == "non_finite"

    def test_a_job_can_be_cancelled(
        self, toy: Model, tmp_path: Path, spools: list[uploads.Upload], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(emotions, "PROGRESS_SECONDS", 0.0)
        begun, gate, before = threading.Semaphore(0), threading.Event(), toy.run

        def held(batch: Any) -> Any:
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
        assert 'emovox_jobs_total{outcome="cancelled"} 1.0' in service.service.metrics.text().decode()

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

    def test_names_that_are_none(self, service: Running) -> None:
        for name in ("x", "..%2f..%2fetc", "a" * 24, "%00"):
            assert service.ask("GET", f"/v1/jobs/{name}").status == 404

    def test_shutdown_stops_them(self, toy: Model, tmp_path: Path, spools: list[uploads.Upload]) -> None:
        with running(toy, tmp_path, answer_seconds=5.0) as service:
            service.post(wav(np.concatenate([word()] * 200)))
        assert all_deleted(spools)


class TestKeys:
    KEY = "correct horse battery"

    @pytest.fixture(scope="class")
    @classmethod
    def locked(cls, toy: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
        with running(toy, tmp_path_factory.mktemp("jobs"), keys=(cls.KEY, "another key of mine")) as found:
            yield found

    @pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Basic abc"}])
    @pytest.mark.parametrize("path", ["/v1/models", "/v1/jobs/abc", "/metrics", "/v1/emotions"])
    def test_without_one(self, locked: Running, path: str, headers: dict[str, str]) -> None:
        answer = locked.ask("GET", path, headers=headers)
        assert (answer.status, answer.json["error"]["code"]) == (401, "unauthorised")
        assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("headers", [{"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}])
    def test_with_one(self, locked: Running, headers: dict[str, str]) -> None:
        assert locked.ask("GET", "/v1/models", headers=headers).status == 200
        assert locked.ask("GET", "/metrics", headers=headers).status == 200

    def test_what_needs_none(self, locked: Running, toy: Model, tmp_path: Path) -> None:
        for path in ("/healthz", "/docs", "/docs/style.css", "/openapi.json"):
            assert locked.ask("GET", path).status == 200
        with running(toy, tmp_path, keys=(self.KEY,), open_metrics=True) as service:
            assert service.ask("GET", "/metrics").status == 200

    def test_an_upload_without_one_is_not_read(self, locked: Running, spools: list[uploads.Upload]) -> None:
        assert locked.post(wav(word())).status == 401
        assert spools == []


def test_cors_is_off_unless_it_is_set(service: Running, toy: Model, tmp_path: Path) -> None:
    origin = {"Origin": "https://friend.example"}
    assert "access-control-allow-origin" not in service.ask("GET", "/healthz", headers=origin).headers
    with running(toy, tmp_path, cors=("https://friend.example",), keys=("correct horse battery",)) as friendly:
        allowed = friendly.ask("GET", "/v1/models", headers=origin)
        assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (401, "https://friend.example")
        asked = origin | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        assert friendly.ask("OPTIONS", "/v1/emotions", headers=asked).status == 200
        evil = friendly.ask("GET", "/healthz", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in evil.headers


def test_models_and_health(service: Running) -> None:
    models = service.ask("GET", "/v1/models").json["models"]
    assert [model["name"] for model in models if model["default"]] == ["toy"]
    assert {"mobile", "accurate"} <= {model["name"] for model in models}
    figure = {"corpus": "tones", "protocol": "si", "metric": "UAR", "value": 90.0, "low": 85.0, "high": 95.0}
    assert models[0]["figures"] == [figure]
    assert models[0]["licence_risk"] == "none"
    health = service.ask("GET", "/healthz").json
    assert (health["status"], health["ready"], health["model"]["name"]) == ("ok", True, "toy")


def test_security_headers(service: Running) -> None:
    headers = service.ask("GET", "/docs").headers
    assert headers["content-security-policy"].startswith("default-src 'self'; connect-src 'self' ws: wss:;")
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    assert service.ask("GET", "/v1/models").headers["cache-control"] == "no-store"


def test_openapi_has_examples_and_the_page_shows_them_without_the_net(service: Running) -> None:
    document = service.ask("GET", "/openapi.json").json
    assert set(document["paths"]) == {"/v1/emotions", "/v1/jobs/{name}", "/v1/models", "/healthz", "/metrics"}
    answers = document["paths"]["/v1/emotions"]["post"]["responses"]
    assert {"200", "202", "400", "401", "408", "413", "415", "422", "503"} == set(answers)
    assert answers["200"]["content"]["application/json"]["example"]["label"] == "angry"
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])
    page = service.ask("GET", "/docs").body.decode()
    assert "mJ2pGsYhWkc1Zr0vQ8xTn4Bd" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "").split("<body>")[0]


def test_metrics(service: Running) -> None:
    service.post(wav(word()))
    text = service.ask("GET", "/metrics").body.decode()
    assert 'emovox_requests_total{method="POST",route="/v1/emotions",status="200"}' in text
    assert "emovox_streams 0.0" in text
    assert 'emovox_audio_seconds_total{way="upload"}' in text


def test_the_page_is_served_where_it_is(toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    static = tmp_path / "static"
    static.mkdir()
    (static / "index.html").write_text("<h1>live</h1>")
    monkeypatch.setattr("emovox.serving.app.STATIC", static)
    with running(toy, tmp_path / "jobs") as service:
        assert service.ask("GET", "/").body == b"<h1>live</h1>"
        assert service.ask("GET", "/healthz").json["ready"]
        assert service.ask("GET", "/../conftest.py").status == 404


def test_nothing_of_a_recording_is_logged_or_kept(
    toy: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with caplog.at_level("DEBUG", logger="emovox.serving"), running(toy, tmp_path / "jobs") as service:
        service.post(wav(np.concatenate([word()] * 20)), "/v1/emotions?threshold=0.123", name="secret-name.wav")
        assert sorted(os.listdir(tmp_path)) == ["jobs"]
    logged = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "/v1/emotions" in logged
    for word_ in ("secret-name", "0.123", "127.0.0.1", "neutral"):
        assert word_ not in logged
