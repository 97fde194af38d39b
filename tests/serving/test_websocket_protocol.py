"""The WebSocket protocol against clients that break its rules, or bend them."""

from __future__ import annotations

import contextlib
import json
import socket as sockets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import Frame
from websockets.server import ServerProtocol

from emovox.runtime.model import Model
from emovox.serving import websocket_protocol
from tests.serving.running import (
    BOUNDARY,
    END,
    PATIENCE,
    START,
    Running,
    begin,
    flood,
    form,
    pcm,
    rest,
    running,
    soon,
    wav,
    word,
)

HANDSHAKE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
PING = b"\x89\xfd\0\0\0\0" + b"p" * 125
CLOSE = b"\x88\x80\0\0\0\0"
LITTLE = 1400
BAD_HANDSHAKES = {
    "long header": b"X-A: " + b"a" * 9000 + b"\r\n\r\n",
    "many headers": b"".join(b"X-%d: a\r\n" % number for number in range(200)) + b"\r\n",
    "body": b"Content-Length: 5\r\n\r\nhello",
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@contextlib.contextmanager
def connected(service: Running, rest: bytes = b"\r\n", *, window: int | None = None) -> Iterator[sockets.socket]:
    """A bare connection that has sent its handshake."""
    with sockets.socket() as raw:
        raw.settimeout(PATIENCE)
        if window is not None:
            raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, window)
        raw.connect(("127.0.0.1", service.port))
        raw.sendall(HANDSHAKE + rest)
        raw.recv(len(b"HTTP/1.1 "))
        yield raw


def all_of(raw: sockets.socket) -> bytes:
    """What comes up to the end of the connection."""
    found = bytearray()
    while piece := raw.recv(65536):
        found += piece
    return bytes(found)


@pytest.mark.parametrize("rest", BAD_HANDSHAKES.values(), ids=list(BAD_HANDSHAKES))
def test_a_handshake_that_cannot_be_parsed_is_answered_and_closed(service: Running, rest: bytes) -> None:
    with connected(service, rest) as raw:
        assert all_of(raw).startswith(b"4")
    assert soon(lambda: not service.server.server_state.connections)


@pytest.mark.usefixtures("no_limit")
def test_no_connection_keeps_the_end_of_the_service_from_the_others(service_ends: Running) -> None:
    connections = service_ends.server.server_state.connections
    body = form(wav(word()))
    head = f"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    with connected(service_ends, window=4096) as closing, sockets.socket() as upload:
        fill(closing)
        closing.sendall(CLOSE)  # a close frame, whose answer cannot be sent
        upload.settimeout(PATIENCE)
        upload.connect(("127.0.0.1", service_ends.port))
        upload.sendall(f"{head}Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n".encode() + body[:1000])
        assert soon(lambda: service_ends.service.analysts.receiving == 1)
        service_ends.server.should_exit = True
        assert soon(lambda: len(connections) == 1)
        upload.sendall(body[1000:])
        assert all_of(upload).startswith(b"HTTP/1.1 200")


@pytest.mark.usefixtures("no_limit")
@pytest.mark.parametrize("last", [b"\x81\x82\0\0\0\0[]", CLOSE], ids=["error", "close frame"])
def test_a_client_that_does_not_take_the_last_words_is_cut_off(
    service: Running, monkeypatch: pytest.MonkeyPatch, last: bytes
) -> None:
    monkeypatch.setattr(websocket_protocol, "LAST_SECONDS", 0.5)
    with connected(service, window=4096) as raw:
        fill(raw)
        raw.sendall(last)
        assert soon(lambda: not service.server.server_state.connections)


EMPTY = {"pong": b"\x8a\x80\0\0\0\0", "continuation": b"\x00\x80\0\0\0\0", "sample": b"\x82\x82\0\0\0\0\0\0"}


@pytest.mark.parametrize("kind", EMPTY)
def test_many_small_frames_wait(service: Running, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    parsed = count_frames(monkeypatch)
    with connected(service, window=4096) as raw:
        raw.sendall(text(json.dumps(START)) + (b"\x02\x80\0\0\0\0" if kind == "continuation" else b""))
        begun = time.monotonic()
        raw.settimeout(1.0)
        with pytest.raises(TimeoutError):  # nobody reads them
            flood(raw, EMPTY[kind] * 10_000)
        assert len(parsed) < 500 + 250 * (time.monotonic() - begun)
    monkeypatch.setattr(websocket_protocol, "FRAMES_PER_SECOND", 1e6)  # what was sent before the end comes before it
    monkeypatch.setattr(websocket_protocol, "BURST_FRAMES", 1e6)
    assert service.settled()


def test_frames_that_wait_keep_their_order(service: Running) -> None:
    data = pcm(word())
    with service.connect() as socket:
        begin(socket)
        for at in range(0, len(data), 128):
            socket.send(data[at : at + 128])
        socket.send(END)
        slow = rest(socket)
    with service.connect() as socket:
        begin(socket)
        socket.send(data)
        socket.send(END)
        assert marks(slow) == marks(rest(socket))
        assert slow[-1]["seconds"] == pytest.approx(len(data) / 32000, abs=1e-3)
        assert socket.close_code == 1000


def test_a_client_that_leaves_while_its_frames_wait_leaves_nothing(service: Running) -> None:
    with connected(service) as raw:
        raw.sendall(text(json.dumps(START)) + EMPTY["sample"] * 800)
        assert soon(lambda: len(service.service.streams) == 1)
    assert service.settled()
    assert soon(lambda: not service.server.server_state.connections)


def test_the_end_of_a_client_comes_after_the_frames_that_wait(service: Running) -> None:
    with connected(service) as raw:
        raw.sendall(text(json.dumps(START)) + EMPTY["sample"] * 800 + text(END))
        found = b""
        while b'"session.ended","seconds":0.05' not in found:
            found += raw.recv(65536)
            assert b"error" not in found


def marks(messages: list[dict[str, Any]]) -> list[tuple[str, float]]:
    """Starts and ends of speech."""
    return [
        (one["type"], one["start" if one["type"] == "speech.started" else "end"])
        for one in messages
        if one["type"].startswith("speech.")
    ]


def text(words: str) -> bytes:
    """A frame of text."""
    return bytes([0x81, 0x80 | len(words)]) + bytes(4) + words.encode()


def count_frames(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """All frames that are parsed from now on."""
    found: list[object] = []
    before = ServerProtocol.recv_frame

    def note(self: ServerProtocol, frame: Frame) -> None:
        found.append(frame.opcode)
        before(self, frame)

    monkeypatch.setattr(ServerProtocol, "recv_frame", note)
    return found


@pytest.fixture
def no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many frames as a connection likes."""
    monkeypatch.setattr(websocket_protocol, "BURST_FRAMES", 1e6)


def fill(raw: sockets.socket) -> None:
    """Send pings until their answers wait in the service, but not so many that it would end the connection."""
    for _ in range(LITTLE):
        raw.sendall(PING)
        time.sleep(0.001)


@pytest.fixture
def service_ends(toy: Model, tmp_path: Path) -> Iterator[Running]:
    """A service of its own, which a test may end."""
    with running(toy, tmp_path) as found:
        yield found
