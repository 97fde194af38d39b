"""One client cannot take all connections: idle ones give way, and `/healthz` is always answered."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from emovox.runtime.model import Model
from emovox.serving import connections, run
from tests.serving.running import BOUNDARY, PATIENCE, Running, running, soon

LIMIT = 8
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: local"
HALF_A_BODY = (
    b"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n"
    b"Content-Type: multipart/form-data; boundary=" + BOUNDARY.encode() + b"\r\n\r\n--"
)


@pytest.fixture
def small(toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(run, "SPARE_CONNECTIONS", LIMIT - 2)
    monkeypatch.setattr(connections.Connection, "_warned", -connections.WARN_SECONDS)
    with running(toy, tmp_path, max_streams=1) as service:
        yield service


def _open(stack: contextlib.ExitStack, service: Running, data: bytes) -> socket.socket:
    raw = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE))
    raw.sendall(data)
    return raw


def test_connections_without_a_request_give_way(small: Running, caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.ExitStack() as stack:
        held = [_open(stack, small, HALF_A_HEAD) for _ in range(5 * LIMIT)]
        assert small.ask("GET", "/healthz").status == 200
        assert small.ask("GET", "/v1/models").status == 200
        with contextlib.suppress(ConnectionError):
            assert held[0].recv(1) == b""
    assert [record.getMessage() for record in caplog.records].count("connections are at their limit") <= 1


def test_at_the_limit_of_requests_only_health_is_answered(small: Running) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(LIMIT):
            _open(stack, small, HALF_A_BODY)
        assert soon(lambda: small.service.analyses.receiving == LIMIT)
        answer = small.ask("GET", "/v1/models")
        assert (answer.status, answer.json["error"]["code"]) == (503, "busy")
        assert small.ask("GET", "/healthz").json["ready"]
    assert small.settled()


def test_headers_have_to_come_in_time(small: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    with contextlib.ExitStack() as stack, contextlib.suppress(ConnectionError):
        assert _open(stack, small, HALF_A_HEAD).recv(1) == b""


def test_fewer_files_than_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_open_files", lambda: 200)
    assert connections.most_connections(456) == 200 - connections.SPARE_FILES - connections.RESERVE
    monkeypatch.setattr(connections, "_open_files", lambda: 4096)
    assert connections.most_connections(456) == 456
