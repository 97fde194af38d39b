"""The HTTP side with a real client: answers, keys, headers, and the routes about the service."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest

from emovox.audio.types import Encoding
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.schema.result import ModelInfo, Report
from emovox.schema.trust import CardSets, CardTrust
from emovox.serving.http import uploads
from emovox.serving.live.messages import Reply, SessionEnd, SessionStart
from emovox.serving.models import further_models
from emovox.serving.settings import ServiceSettings, SettingsError
from emovox.testing import RATE, write_toy
from tests.serving.running import (
    BOUNDARY,
    END,
    PATIENCE,
    Running,
    all_deleted,
    begin,
    form,
    pcm,
    rest,
    running,
    soon,
    wav,
    word,
)


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


def test_sets_of_labels(service: Running, tmp_path: Path) -> None:
    sets = CardSets(coverage=90, least=0.0, mean=90.0, worst=80.0, size=7.0, speakers=20)
    model = Model.load(write_toy(tmp_path, trust=CardTrust(sets=(sets,))))
    with running(model, tmp_path, max_speed=1e6) as promising:
        assert promising.ask("GET", "/v1/models").json["models"][0]["sets"] == [msgspec.to_builtins(sets)]
        row = promising.post(wav(word()), "/v1/emotions?coverage=90").json
        assert (row["coverage"], len(row["label_set"]), len(row["segments"][0]["label_set"])) == (90, 7, 7)
        refused = promising.post(wav(word()), "/v1/emotions?coverage=50")
        assert (refused.status, refused.json["error"]["code"]) == (400, "bad_config")
        with promising.connect() as socket:
            begin(socket, coverage=90)
            socket.send(pcm(word()))
            socket.send(END)
            ended = [message for message in rest(socket) if message["type"] == "speech.ended"]
        assert len(ended[0]["label_set"]) == 7
    without = service.post(wav(word()), "/v1/emotions?coverage=90")
    assert (without.status, without.json["error"]["code"]) == (501, "no_sets")


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


class TestKeys:
    KEY = "correct horse battery"

    @pytest.fixture(scope="class")
    @classmethod
    def locked(cls, toy: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
        with running(toy, tmp_path_factory.mktemp("jobs"), keys=(cls.KEY, "another key of mine")) as server:
            yield server

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


def test_a_page_of_another_site_changes_nothing(service: Running, toy: Model, tmp_path: Path) -> None:
    for origin in ("https://evil.example", "null", "http://[evil"):
        for answer in (
            service.post(wav(word()), Origin=origin),
            service.ask("DELETE", "/v1/jobs/x", headers={"Origin": origin}),
        ):
            assert (answer.status, answer.json["error"]["code"]) == (403, "forbidden_origin")
    assert service.post(wav(word()), Origin=f"http://127.0.0.1:{service.port}").status == 200
    with running(toy, tmp_path, cors=("https://friend.example",)) as friendly:
        assert friendly.post(wav(word()), Origin="https://friend.example").status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_what_is_not_there(service: Running, method: str) -> None:
    answer = service.ask(method, "/v1/nothing")
    assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")


def test_a_method_that_the_route_does_not_have(service: Running) -> None:
    for path, allowed in (("/v1/models", "GET"), ("/v1/jobs/x", "GET, DELETE"), ("/docs", "GET")):
        answer = service.ask("PUT", path)
        assert (answer.status, answer.headers["allow"]) == (405, allowed)
        message = f"got PUT {path}, expected {allowed}; see /docs"
        assert answer.json == {"error": {"code": "bad_method", "message": message}}


def test_models_and_health(service: Running) -> None:
    models = service.ask("GET", "/v1/models").json["models"]
    assert [model["name"] for model in models if model["default"]] == ["toy"]
    assert {"mobile", "accurate"} <= {model["name"] for model in models}
    figure = {"corpus": "tones", "protocol": "si", "metric": "UAR", "value": 90.0, "low": 85.0, "high": 95.0}
    assert models[0]["figures"] == [figure]
    assert models[0]["licence_risk"] == "none"
    health = service.ask("GET", "/healthz").json
    assert (health["status"], health["ready"], health["model"]["name"]) == ("ok", True, "toy")


def test_while_it_ends_it_says_so_on_old_and_new_connections(toy: Model, tmp_path: Path) -> None:
    with running(toy, tmp_path) as service, slow_upload(service) as upload:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
        assert status_of(connection, "/healthz") == 200
        service.end()
        assert soon(lambda: not service.service.about.is_ready)
        assert status_of(connection, "/healthz") == 503
        assert service.ask("GET", "/healthz").json["status"] == "closing"
        refused = service.post(wav(word()))
        assert (refused.status, refused.json["error"]["code"]) == (503, "shutting_down")
        with service.connect() as stream:
            assert begin(stream)["code"] == "shutting_down"
        connection.close()
        assert upload().status == 200  # it was in flight


@contextlib.contextmanager
def slow_upload(service: Running) -> Iterator[Callable[[], http.client.HTTPResponse]]:
    """Send half of an upload; yield a function that sends the rest and returns the answer."""
    body = form(wav(word()))
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    connection.putrequest("POST", "/v1/emotions")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:1000])
    assert soon(lambda: service.service.analyses.receiving == 1)

    def finish() -> http.client.HTTPResponse:
        connection.send(body[1000:])
        return connection.getresponse()

    yield finish
    connection.close()


def status_of(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    with connection.getresponse() as response:
        response.read()
        return response.status


def test_security_headers(service: Running) -> None:
    headers = service.ask("GET", "/docs").headers
    assert headers["content-security-policy"].startswith("default-src 'self'; connect-src 'self' ws: wss:;")
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    assert service.ask("GET", "/v1/models").headers["cache-control"] == "no-store"


def test_openapi_has_examples_and_the_page_shows_them_without_the_net(service: Running) -> None:
    document = service.ask("GET", "/openapi.json").json
    speakers = {"/v1/speakers", "/v1/speakers/{name}", "/v1/speakers/{name}/profile"}
    others = {"/v1/emotions", "/v1/jobs/{name}", "/v1/models", "/healthz", "/metrics"}
    assert set(document["paths"]) == others | speakers
    answers = document["paths"]["/v1/emotions"]["post"]["responses"]
    statuses = (200, 202, 400, 401, 403, 404, 408, 413, 415, 422, 500, 501, 503, 507)
    assert set(answers) == {f"{status}" for status in statuses}
    for method in ("get", "delete"):
        assert "422" not in document["paths"]["/v1/jobs/{name}"][method]["responses"]
    (model,) = document["paths"]["/v1/models"]["get"]["responses"]["200"]["content"]["application/json"]["example"][
        "models"
    ]
    assert model["modalities"] == ["voice", "face", "text"]
    assert model == service.ask("GET", "/v1/models").json["models"][0] | {"modalities": model["modalities"]}
    assert answers["200"]["content"]["application/json"]["example"]["label"] == "angry"
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])
    page = service.ask("GET", "/docs").body.decode()
    assert "mJ2pGsYhWkc1Zr0vQ8xTn4Bd" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "").split("<body>")[0]


def test_openapi_says_which_routes_need_a_key(toy: Model, tmp_path: Path, service: Running) -> None:
    def needs(service: Running) -> dict[str, bool]:
        document = service.ask("GET", "/openapi.json").json
        every = document.get("security", [])
        return {path: bool(next(iter(of.values())).get("security", every)) for path, of in document["paths"].items()}

    assert not any(needs(service).values())
    with running(toy, tmp_path / "a", keys=("correct horse battery",)) as locked:
        assert {path for path, key in needs(locked).items() if not key} == {"/healthz"}
    with running(toy, tmp_path / "b", keys=("correct horse battery",), open_metrics=True) as locked:
        assert {path for path, key in needs(locked).items() if not key} == {"/healthz", "/metrics"}


@pytest.mark.parametrize(
    "path", ["/worklet.js/", "//worklet.js", "/./worklet.js", "/app.css/.", "/%2fworklet.js", "//", "/x%00y"]
)
def test_a_file_of_the_page_has_one_path(service: Running, path: str) -> None:
    assert service.ask("GET", path).status == 404


def test_the_page_without_a_server_may_run_webassembly(service: Running) -> None:
    page = service.ask("GET", "/local/")
    assert page.status == 200
    assert b'id="offline"' in page.body
    assert page.headers["content-security-policy"].startswith(
        "script-src 'self' 'wasm-unsafe-eval'; default-src 'self'"
    )
    assert service.ask("GET", "/local").status in (301, 302, 307)
    model = service.ask("GET", "/local/emovox.wasm")
    assert model.headers["content-type"] == "application/wasm"
    assert model.body.startswith(b"\0asm")
    assert "wasm-unsafe-eval" not in service.ask("GET", "/").headers["content-security-policy"]


def test_openapi_and_the_page_tell_every_message_of_the_stream(service: Running) -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in (SessionStart, SessionEnd, *get_args(Reply))}
    assert len(kinds) == 8
    for text in (service.ask("GET", "/openapi.json").json["info"]["description"], _docs(service)):
        assert "docs/service.md" not in text
        for name in (*kinds, *get_args(Encoding), *SessionStart.__struct_fields__):
            assert name in text, name


def _docs(service: Running) -> str:
    return service.ask("GET", "/docs").body.decode()


def test_metrics(service: Running) -> None:
    service.post(wav(word()))
    text = service.ask("GET", "/metrics").body.decode()
    assert 'emovox_requests_total{method="POST",route="/v1/emotions",status="200"}' in text
    assert "emovox_streams 0.0" in text
    assert 'emovox_audio_seconds_total{way="upload"}' in text


def test_an_upload_may_name_an_offered_model(toy: Model, tmp_path: Path) -> None:
    with running(toy, tmp_path, models=("mobile",)) as service:
        models = service.ask("GET", "/v1/models").json["models"]
        assert [model["name"] for model in models if model["offered"]] == ["toy", "mobile"]
        assert all(0 <= model["threshold"] <= 1 for model in models)
        named = {query: service.post(wav(word()), f"/v1/emotions{query}").json for query in ("", "?model=mobile")}
        assert [answer["model"]["name"] for answer in named.values()] == ["toy", "mobile"]
        refused = service.post(wav(word()), "/v1/emotions?model=svm")
        assert refused.json["error"]["message"] == "got the model 'svm', expected toy or mobile; see /v1/models"
        assert service.settled()


def test_which_models_are_offered() -> None:
    names = further_models(ServiceSettings())
    assert "mobile" in names
    assert names == further_models(ServiceSettings(model="mobile"))
    assert further_models(ServiceSettings(model="mine.onnx")) == ()
    with pytest.raises(SettingsError, match="got 'mine', expected shipped names: "):
        further_models(ServiceSettings(models=("mine",)))


def test_the_example_of_the_page_is_that_of_the_repository(service: Running) -> None:
    demo = Path(__file__).parents[3] / "examples" / "demo.flac"
    answer = service.ask("GET", "/demo.flac")
    assert (answer.status, answer.headers["content-type"]) == (200, "audio/flac")
    assert answer.body == demo.read_bytes()


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
