"""Connections of clients that mean harm: what they hold is bounded, and they are let go of."""

from __future__ import annotations

import contextlib
import gc
import socket
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from emovox.runtime.model import Model
from emovox.serving.http_protocol import WAITING_REQUESTS, HttpProtocol
from tests.serving.running import PATIENCE, Running, begin, running, soon, wav, word

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
OPENAPI = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"  # a long answer
Kept = list[weakref.ref[object]]


@pytest.fixture
def kept(service: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """All connections and requests from now on; Python does not search for cycles, as it seldom does."""
    assert soon(lambda: not service.server.server_state.connections)  # of the tests before
    found: Kept = []
    for kind in (HttpProtocol, RequestResponseCycle):
        note(kind, found, monkeypatch)
    gc.collect()
    gc.disable()
    try:
        yield found
    finally:
        gc.enable()


def note(kind: type[object], found: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kind.__init__

    def make(self: object, *given: object, **named: object) -> None:
        before(self, *given, **named)
        found.append(weakref.ref(self))

    monkeypatch.setattr(kind, "__init__", make)


def all_gone(found: Kept) -> bool:
    return soon(lambda: all(one() is None for one in found))


def client(service: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)


def is_ended(raw: socket.socket) -> bool:
    """Read until the end of the connection, which has to come."""
    with contextlib.suppress(ConnectionError):
        while raw.recv(65536):
            pass
    return True


class TestManyRequestsAtOnce:
    def test_a_few_are_answered_in_turn(self, service: Running, kept: Kept) -> None:
        with client(service) as raw:
            raw.sendall(HEALTH * (1 + WAITING_REQUESTS))
            answers = b""
            while answers.count(b"HTTP/1.1 200") < 1 + WAITING_REQUESTS:
                answers += raw.recv(65536)
        assert all_gone(kept)

    def test_too_many_end_the_connection(self, service: Running, kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
        with client(service) as raw:
            raw.sendall(HEALTH * 3000)
            assert is_ended(raw)
        assert len(kept) < 3 * WAITING_REQUESTS
        assert all_gone(kept)
        assert "Traceback" not in caplog.text
        assert service.ask("GET", "/healthz").status == 200


def test_an_empty_line_is_no_request(service: Running, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovox.serving.http_protocol.HEADER_SECONDS", 0.5)
    with client(service) as raw:
        for _ in range(2):  # before a request it is allowed
            raw.sendall(b"\r\n" + HEALTH)
            assert raw.recv(65536).startswith(b"HTTP/1.1 200")
        raw.sendall(b"\r\n")
        assert is_ended(raw)
    assert all_gone(kept)


class TestAnswersThatNobodyReads:
    @pytest.fixture
    def client(self, service: Running, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
        """A connection with small buffers on both sides."""
        monkeypatch.setattr("emovox.serving.http_protocol.WRITE_SECONDS", 0.5)
        monkeypatch.setattr(service.server.config, "timeout_keep_alive", 0.2)
        connections = service.server.server_state.connections
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            raw.settimeout(PATIENCE)
            raw.connect(("127.0.0.1", service.port))
            assert soon(lambda: len(connections) == 1)
            transport = cast(HttpProtocol, next(iter(connections))).transport
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            del transport
            yield raw
        assert all_gone(kept)

    @pytest.mark.parametrize("number", [1, WAITING_REQUESTS])
    @pytest.mark.parametrize("last", [b"", b"Connection: close\r\n"])
    def test_end_the_connection(self, service: Running, client: socket.socket, number: int, last: bytes) -> None:
        client.sendall(OPENAPI * (number - 1) + OPENAPI[:-2] + last + b"\r\n")
        assert soon(lambda: service.server.server_state.total_requests > 0)
        assert soon(lambda: not service.server.server_state.connections)

    def test_may_be_read_slowly(self, client: socket.socket) -> None:
        client.sendall(OPENAPI * 4)
        answers = b""
        while answers.count(b"HTTP/1.1 200") < 4:
            answers += client.recv(8192)


class TestUpgrade:
    def test_leaves_nothing_of_http(self, service: Running, kept: Kept) -> None:
        with client(service) as raw:
            raw.sendall(HEALTH)
            assert raw.recv(65536).startswith(b"HTTP/1.1 200")
            raw.sendall(UPGRADE)
            assert raw.recv(65536).startswith(b"HTTP/1.1 101")
            assert kept
            assert all_gone(kept)
        assert soon(lambda: not service.server.server_state.connections)

    def test_does_not_come_before_the_answer_to_another_request(self, service: Running, kept: Kept) -> None:
        with client(service) as raw:
            raw.sendall(HEALTH + UPGRADE)
            assert is_ended(raw)
        assert all_gone(kept)


def test_websockets_leave_half_of_the_connections_to_http(
    toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emovox.serving.server._SPARE_CONNECTIONS", 4)
    with running(toy, tmp_path, max_streams=1) as service, contextlib.ExitStack() as stack:
        for number in range(5):
            raw = stack.enter_context(client(service))
            raw.sendall(UPGRADE)
            assert raw.recv(65536).startswith(b"HTTP/1.1 101" if number < 3 else b"HTTP/1.1 503")
            assert number < 3 or is_ended(raw)
        assert service.ask("GET", "/healthz").status == 200
        assert service.post(wav(word())).status == 200
        stack.close()
        assert soon(lambda: not service.server.server_state.connections)
        with service.connect() as stream:
            assert begin(stream)["type"] == "session.started"
