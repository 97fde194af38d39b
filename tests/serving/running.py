"""A service on a free loopback port in a thread of the test, with the toy model, and small clients for it."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from emovox.audio.types import Samples
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.serving.app import Service, create_app
from emovox.serving.http.uploads import Upload
from emovox.serving.run import listen, make_server
from emovox.serving.settings import ServiceSettings
from emovox.testing import RATE, speech

PATIENCE = 30.0
"""Seconds after which a test gives up."""

START: dict[str, Any] = {"type": "session.start", "sample_rate": 16000, "encoding": "s16le", "channels": 1}
END = json.dumps({"type": "session.end"})
BOUNDARY = "----limit"
HANDSHAKE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


class Answer(NamedTuple):
    """An HTTP answer; `json` parses its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """A running service."""

    def __init__(self, server: uvicorn.Server, service: Service, port: int) -> None:
        self.server, self.service, self.port = server, service, port

    def end(self) -> None:
        """Begin the graceful shutdown, as a signal does."""
        self.service.shutdown.take()

    def ask(self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def post(self, data: bytes, path: str = "/v1/emotions", *, name: str = "a.wav", **headers: str) -> Answer:
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} | headers
        return self.ask("POST", path, body=form(data, name=name), headers=kind)

    def connect(self, **arguments: Any) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.port}/v1/stream"
        connection: ClientConnection = connect(url, compression=None, **arguments)
        return connection

    def settled(self) -> bool:
        """Wait until no stream and no upload is left; return False after `PATIENCE`."""
        return soon(self._is_settled)

    def _is_settled(self) -> bool:
        counts, analyses = self.service.pipeline.counts, self.service.analyses
        streams = len(self.service.streams) + counts.streams + counts.waiting
        return streams + analyses.admitted + analyses.receiving == 0


@contextlib.contextmanager
def running(model: Model, folder: Path, **changes: Any) -> Iterator[Running]:
    """Start a service with some settings changed, and end it gracefully; `predictor` takes the place of the model."""
    predictor = changes.pop("predictor", None) or Predictor(model)
    settings = ServiceSettings(**{"port": 0, "max_streams": 20, "shutdown_seconds": 5.0} | changes)
    folder.mkdir(exist_ok=True)
    app = create_app(settings, predictor, jobs=folder)
    server = make_server(settings, app)
    with listen(settings) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        soon(lambda: server.started)
        try:
            yield (started := Running(server, app.state.service, listener.getsockname()[1]))
        finally:
            started.end()
            thread.join(PATIENCE)
            assert not thread.is_alive()


def soon(condition: Callable[[], bool]) -> bool:
    """Wait until the condition is true; return False after `PATIENCE`."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not condition():
        time.sleep(0.01)
    return condition()


def form(data: bytes, *, name: str = "a.wav", part: str = "file") -> bytes:
    """Return a multipart body with one file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'
    return head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


def pcm(samples: Samples) -> bytes:
    """Return the samples as 16-bit integers."""
    return np.clip(np.rint(samples * 32767), -32768, 32767).astype("<i2").tobytes()


def word(f0: float = 200.0, *, seconds: float = 1.2) -> Samples:
    """Return a word between pauses."""
    pause = speech(f0, seconds=0.8, level=0.0)
    return np.concatenate([pause, speech(f0, seconds=seconds), pause])


def begin(socket: ClientConnection, **changes: Any) -> dict[str, Any]:
    """Send a session.start; return the answer."""
    socket.send(json.dumps(START | changes))
    return received(socket)


def received(socket: ClientConnection) -> dict[str, Any]:
    """Return the next message."""
    message: dict[str, Any] = json.loads(socket.recv(timeout=PATIENCE))
    return message


def rest(socket: ClientConnection) -> list[dict[str, Any]]:
    """Return all messages up to the close."""
    messages = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            messages.append(received(socket))
    return messages


def close_code(socket: ClientConnection) -> int | None:
    """Return the code of the close frame; None if the connection ended without one."""
    return socket.close_code


def wav(samples: Any, *, rate: int = RATE, kind: str = "WAV") -> bytes:
    """Return a file of the samples."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    return file.getvalue()


def all_deleted(spools: list[Upload]) -> bool:
    """Wait until all uploads are closed, and so deleted; return False if there is none."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not all(spool._file.closed for spool in spools):
        time.sleep(0.01)
    return bool(spools) and all(spool._file.closed for spool in spools)


def flood(raw: socket.socket, data: bytes) -> None:
    """Send until the other side closes the connection; fail if it does not."""
    with contextlib.suppress(ConnectionError):
        for _ in range(2000):
            raw.sendall(data)
        raise AssertionError("the connection is still open")


@contextlib.contextmanager
def connected(service: Running, *, window: int | None = None) -> Iterator[socket.socket]:
    """Yield a plain connection whose WebSocket is open."""
    with socket.socket() as raw:
        raw.settimeout(PATIENCE)
        if window is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        raw.connect(("127.0.0.1", service.port))
        raw.sendall(HANDSHAKE + b"\r\n")
        raw.recv(len(b"HTTP/1.1 "))
        yield raw


def frame(message: str | bytes) -> bytes:
    """Return the frame of a client's message, masked with zeros."""
    data, kind = (message.encode(), 0x81) if isinstance(message, str) else (message, 0x82)
    if len(data) < 126:
        return bytes([kind, 0x80 | len(data)]) + bytes(4) + data
    return bytes([kind, 0x80 | 127]) + len(data).to_bytes(8, "big") + bytes(4) + data
