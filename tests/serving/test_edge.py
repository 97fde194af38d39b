"""docker/nginx.conf in a real nginx: it stops slow senders, slow readers and floods; other clients are served."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emovox.testing import write_toy
from tests.serving.edge import SECONDS, Edge, edge, is_cut, nginx, read_all
from tests.serving.process import service
from tests.serving.running import (
    BOUNDARY,
    END,
    HANDSHAKE,
    PATIENCE,
    START,
    begin,
    close_code,
    form,
    frame,
    pcm,
    received,
    rest,
    soon,
    wav,
    word,
)

pytestmark = [
    pytest.mark.skipif(not nginx(), reason="needs nginx (Debian, Ubuntu: apt-get install nginx-light)"),
    pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl, for a certificate"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="uses many loopback addresses, as Linux has them"),
]

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPLOAD = (
    b"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n--b\r\n"
)
CHUNKED = UPLOAD.replace(b"Content-Length: 100000", b"Transfer-Encoding: chunked").replace(b"--b", b"5\r\n--b\r\n")
PING = b"\x89\xfd\0\0\0\0" + b"p" * 125


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("service")
    write_toy(folder)
    (folder / "tmp").mkdir()
    options = {"slow-reader-seconds": 2, "start-seconds": 3, "max-streams": 60, "max-speed": 1000, "log-level": "error"}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    with service(folder, *arguments) as server, edge(server, folder / "nginx") as front:
        yield front


@pytest.fixture(autouse=True)
def unharmed(front: Edge) -> Iterator[None]:
    """Check after each test that other clients are served, and that no stream or upload is left."""
    yield
    assert front.post(wav(word())).status == 200
    assert soon(lambda: (front.metric("emovox_streams"), front.metric("emovox_uploads")) == (0, 0))


def is_ended_in_time(begun: float) -> bool:
    return SECONDS * 0.5 <= time.monotonic() - begun <= SECONDS + 9


class TestWhatGoesThrough:
    def test_a_recording(self, front: Edge) -> None:
        answer = front.post(wav(word()))
        assert (answer.status, answer.json["model"]["name"]) == (200, "toy")
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert "nginx/" not in answer.headers["server"]

    def test_errors_of_the_service_are_its_own(self, front: Edge) -> None:
        refused = front.post(b"not audio at all" * 100)
        assert (refused.status, refused.json["error"]["code"]) == (415, "undecodable")
        assert front.ask("GET", "/v1/nothing").json["error"]["code"] == "not_found"
        foreign = front.ask("POST", "/v1/emotions", Origin="https://evil.example")
        assert (foreign.status, foreign.json["error"]["code"]) == (403, "forbidden_origin")

    def test_a_stream_with_its_close_code(self, front: Edge) -> None:
        with front.connect() as socket:
            assert begin(socket)["type"] == "session.started"
            socket.send(pcm(word()))
            socket.send(END)
            kinds = [message["type"] for message in rest(socket) if message["type"] != "emotion.updated"]
            assert kinds == ["speech.started", "speech.ended", "session.ended"]
            assert close_code(socket) == 1000
        with front.connect() as socket:
            socket.send("hello")
            assert rest(socket)[-1]["code"] == "bad_message"
            assert close_code(socket) == 4400

    def test_events_come_at_once(self, front: Edge) -> None:
        with front.connect() as socket:
            begin(socket)
            socket.send(pcm(word())[:60_000])
            begun = time.monotonic()
            assert received(socket)["type"] == "speech.started"
            assert time.monotonic() - begun < 1.0

    def test_the_page_and_plain_http_leads_to_it(self, front: Edge) -> None:
        assert b"<title" in front.ask("GET", "/").body
        plain = http.client.HTTPConnection("127.0.0.1", front.plain_port, timeout=PATIENCE)
        plain.request("GET", "/docs?a=b")
        with plain.getresponse() as response:
            assert (response.status, response.headers["Location"]) == (308, "https://127.0.0.1/docs?a=b")
        plain.close()


class TestSlowSenders:
    def test_of_a_tls_handshake(self, front: Edge) -> None:
        begun = time.monotonic()
        with front.plain() as raw:
            raw.sendall(b"\x16\x03\x01")
            read_all(raw)
            assert is_ended_in_time(begun)

    def test_of_headers(self, front: Edge) -> None:
        with front.tls() as raw:
            begun = time.monotonic()
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHo")
            read_all(raw)
            assert is_ended_in_time(begun)

    def test_of_headers_byte_by_byte(self, front: Edge) -> None:
        with front.tls() as raw:
            begun = time.monotonic()
            with contextlib.suppress(OSError):
                for _ in range(100):
                    raw.sendall(b"X")
                    time.sleep(0.1)
            assert is_ended_in_time(begun)

    def test_of_the_next_request(self, front: Edge) -> None:
        with front.tls() as raw:
            raw.sendall(HEALTH)
            assert raw.recv(65536).startswith(b"HTTP/1.1 200")
            begun = time.monotonic()
            read_all(raw)
            assert is_ended_in_time(begun)

    def test_of_a_body(self, front: Edge) -> None:
        with front.tls() as raw:
            begun = time.monotonic()
            raw.sendall(UPLOAD)
            read_all(raw)
            assert is_ended_in_time(begun)

    def test_of_many_bodies_take_no_place(self, front: Edge) -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(front.tls()).sendall(UPLOAD)
            assert front.post(wav(word())).status == 200

    @pytest.mark.slow
    def test_of_a_body_that_drips_meets_the_service(self, front: Edge) -> None:
        with front.tls() as raw:
            raw.sendall(UPLOAD)
            raw.settimeout(0.2)
            answer = b""
            for _ in range(100):
                raw.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    answer = raw.recv(65536)
                    break
            assert answer.startswith(b"HTTP/1.1 408")
            assert b"too_slow" in answer + read_all(raw)

    def test_of_the_first_message_of_a_stream_meets_the_service(self, front: Edge) -> None:
        with front.connect() as socket:
            assert rest(socket)[-1]["code"] == "too_slow"
            assert close_code(socket) == 4408


class TestSize:
    @pytest.mark.parametrize(
        "headers",
        [b"X: " + b"y" * 9000, b"\r\n".join(b"X-%d: " % number + b"y" * 1000 for number in range(50))],
        ids=["long", "many"],
    )
    def test_of_headers(self, front: Edge, headers: bytes) -> None:
        with front.tls() as raw:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n\r\n")
            answer = read_all(raw)
            assert answer.startswith(b"HTTP/1.1 400")
            assert b'"code":"bad_request"' in answer

    def test_of_headers_without_end(self, front: Edge) -> None:
        with front.tls() as raw:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
            assert is_cut(raw, b"y" * 65536)

    @pytest.mark.slow
    def test_of_trailers_without_end_meets_the_service(self, front: Edge) -> None:
        with front.tls() as raw:
            raw.sendall(CHUNKED.replace(b"\r\n--b\r\n\r\n", b"\r\n--b\r\n\r\n0\r\n"))
            assert is_cut(raw, b"X: " + b"y" * 65536, within=20.0)

    def test_of_a_body(self, front: Edge) -> None:
        sent = time.monotonic()
        answer = front.ask("POST", "/v1/emotions", body=b"", Content_Length="2000000000")
        assert (answer.status, answer.json["error"]["code"]) == (413, "too_large")
        assert time.monotonic() - sent < SECONDS + 2
        assert front.ask("POST", "/v1/models", body=bytes(20_000)).status == 413

    def test_of_a_body_of_unknown_length(self, front: Edge) -> None:
        with front.tls() as raw:
            raw.sendall(CHUNKED)
            assert is_cut(raw, b"10000\r\n" + b"\0" * 65536 + b"\r\n")

    def test_of_a_body_after_the_answer(self, front: Edge) -> None:
        with front.tls() as raw:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n")
            assert is_cut(raw, b"y" * 65536)


class TestSlowReaders:
    def test_of_answers(self, front: Edge) -> None:
        with front.tls(window=2048) as raw:
            begun = time.monotonic()
            raw.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 90)
            time.sleep(SECONDS + 2.5)
            size = len(read_all(raw))  # what the kernels held
            assert size < 90 * 10_000, size
            assert time.monotonic() - begun < PATIENCE

    def test_of_events(self, front: Edge) -> None:
        before = front.metric('emovox_streams_closed_total{code="slow_reader"}')
        gone = front.metric('emovox_streams_closed_total{code="gone"}')
        with front.tls(window=4096) as raw:
            raw.sendall(HANDSHAKE + b"\r\n")
            raw.recv(20)
            raw.sendall(frame(json.dumps(START)))
            cut = is_cut(raw, frame(pcm(word())[:64_000]), within=PATIENCE)
        assert cut
        assert soon(
            lambda: (
                front.metric('emovox_streams_closed_total{code="slow_reader"}') > before
                or front.metric('emovox_streams_closed_total{code="gone"}') > gone
            )
        )

    def test_of_pongs_meets_the_service(self, front: Edge) -> None:
        """Each ping restarts the times of nginx; the service ends the stream by start_seconds or idle_seconds."""
        before = front.service.memory()
        with front.tls(window=4096) as raw:
            raw.sendall(HANDSHAKE + b"\r\n")
            raw.recv(20)
            assert is_cut(raw, PING * 100, within=20.0)
        assert front.service.memory() - before < 200e6


class TestFloods:
    def test_of_connections_from_one_address(self, front: Edge) -> None:
        address = front.address()
        with contextlib.ExitStack() as stack:
            for _ in range(8):
                stack.enter_context(front.tls(address)).sendall(UPLOAD)
            raw = stack.enter_context(front.tls(address))
            raw.sendall(HEALTH)
            answer = raw.recv(65536)
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"Retry-After: 5" in answer
            assert b'"code":"busy"' in answer
            assert front.ask("GET", "/healthz").status == 200  # another address

    def test_of_requests_from_one_address(self, front: Edge) -> None:
        address = front.address()
        with front.tls(address) as raw:
            raw.sendall(HEALTH * 300)
            answers = b""
            while answers.count(b"HTTP/1.1") < 300 and (piece := raw.recv(65536)):
                answers += piece
            assert answers.count(b"HTTP/1.1 503") > 50
            assert answers.count(b"HTTP/1.1 200") >= 90
            assert front.ask("GET", "/healthz").status == 200
        time.sleep(1.0)
        assert front.ask("GET", "/healthz", address=address).status == 200  # it may come again

    def test_of_streams_from_many_addresses(self, front: Edge) -> None:
        with contextlib.ExitStack() as stack:
            for number in range(12):
                raw = stack.enter_context(front.tls())
                raw.sendall(HANDSHAKE + b"\r\n")
                assert raw.recv(65536).startswith(b"HTTP/1.1 101" if number < 10 else b"HTTP/1.1 503")
            assert front.post(wav(word())).status == 200

    def test_of_frames(self, front: Edge) -> None:
        with front.tls() as raw:
            raw.sendall(HANDSHAKE + b"\r\n")
            raw.recv(20)
            raw.sendall(frame(json.dumps(START)))
            begun = time.monotonic()
            raw.sendall(frame(b"\0\0") * 3000)
            with front.connect() as socket:  # the others
                begin(socket)
                socket.send(pcm(word()))
                socket.send(END)
                assert rest(socket)[-1]["type"] == "session.ended"
            assert time.monotonic() - begun < PATIENCE


@pytest.mark.parametrize(
    "rest",
    [
        b"X-A: " + b"a" * 9000 + b"\r\n\r\n",
        b"".join(b"X-%d: a\r\n" % number for number in range(200)) + b"\r\n",
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["long header", "many headers", "body", "chunks"],
)
def test_a_handshake_with_too_much_in_it_is_answered(front: Edge, rest: bytes) -> None:
    with front.tls() as raw:
        raw.sendall(HANDSHAKE + rest)
        answer = raw.recv(65536)
        assert answer.startswith(b"HTTP/1.1 400" if b"a" * 9000 in rest else b"HTTP/1.1 101")


def test_a_client_that_vanishes_leaves_nothing(front: Edge) -> None:
    with front.connect() as socket:
        begin(socket)
        socket.send(pcm(word())[:40_000])
        socket.socket.close()
    with front.tls() as raw:
        raw.sendall(UPLOAD)


def test_the_end_of_the_service_finishes_streams_and_uploads_behind_nginx(tmp_path: Path) -> None:
    write_toy(tmp_path)
    (tmp_path / "tmp").mkdir()
    body = form(wav(word()))
    with service(tmp_path) as server, edge(server, tmp_path / "nginx") as front, front.tls() as upload:
        head = f"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        upload.sendall(f"{head}Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n".encode() + body[:1000])
        with front.connect() as socket:
            begin(socket)
            socket.send(pcm(word())[:60_000])
            assert received(socket)["type"] == "speech.started"
            server.process.send_signal(signal.SIGTERM)
            kinds = [message["type"] for message in rest(socket) if message["type"] != "emotion.updated"]
            assert kinds == ["speech.ended", "session.ended", "error"]
            assert close_code(socket) == 1001
        upload.sendall(body[1000:])
        assert upload.recv(65536).startswith(b"HTTP/1.1 200")
        assert server.wait() == 0
        gone = front.ask("GET", "/healthz")
        assert (gone.status, gone.json["error"]["code"]) == (503, "shutting_down")
