"""nginx with docker/nginx.conf on loopback, before a real `emovox serve`: with TLS, free ports and shorter times."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.serving.process import Process
from tests.serving.running import BOUNDARY, PATIENCE, Answer, form, soon

CONFIG = Path(__file__).parents[2] / "docker" / "nginx.conf"

SECONDS = 2.0
"""Seconds for which nginx waits for a slow client, in place of 10 and 15 s."""

WAITS = ["client_header_timeout", "client_body_timeout", "send_timeout", "keepalive_timeout", "lingering_time"]


class Edge:
    """A running nginx and the service behind it."""

    def __init__(self, service: Process, folder: Path) -> None:
        self.service = service
        self.port, self.plain_port = free_port(), free_port()
        self.trust = make_certificate(folder)
        (folder / "nginx.conf").write_text(self._config(folder))
        command = [nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        with (folder / "nginx.log").open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log)
        self._addresses = (f"127.0.{third}.{last}" for third in range(1, 250) for last in range(1, 250))
        assert soon(self._is_up), (folder / "nginx.log").read_text()

    def address(self) -> str:
        """Return a loopback address that no test has used: limits count by address."""
        return next(self._addresses)

    def plain(self, address: str | None = None, *, window: int | None = None) -> socket.socket:
        """Return a connection without TLS, to the port of TLS."""
        raw = socket.socket()
        if window is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        raw.settimeout(PATIENCE)
        raw.bind((address or self.address(), 0))
        raw.connect(("127.0.0.1", self.port))
        return raw

    def tls(self, address: str | None = None, *, window: int | None = None) -> ssl.SSLSocket:
        """Return a connection after its TLS handshake."""
        return self.trust.wrap_socket(self.plain(address, window=window), server_hostname="localhost")

    def ask(self, method: str, path: str, *, body: Any = None, address: str | None = None, **headers: str) -> Answer:
        """Return the answer to one request."""
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=PATIENCE, context=self.trust, source_address=(address or self.address(), 0)
        )
        try:
            connection.request(
                method, path, body=body, headers={name.replace("_", "-"): h for name, h in headers.items()}
            )
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def post(self, data: bytes, **options: Any) -> Answer:
        """Send a recording."""
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return self.ask("POST", "/v1/emotions", body=form(data), Content_Type=kind, **options)

    def connect(self, address: str | None = None) -> ClientConnection:
        """Open a WebSocket."""
        url = f"wss://localhost:{self.port}/v1/stream"
        connection: ClientConnection = connect(url, sock=self.plain(address), ssl=self.trust, compression=None)
        return connection

    def metric(self, line: str) -> float:
        """Return a counter of the service, read without nginx."""
        value = re.search(rf"^{re.escape(line)} ([\d.]+)$", self.service.get("/metrics").decode(), re.MULTILINE)
        return float(value[1]) if value else 0.0

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)

    def _is_up(self) -> bool:
        assert self.process.poll() is None
        with contextlib.suppress(OSError):
            return self.ask("GET", "/healthz", address="127.0.0.1").status == 200
        return False

    def _config(self, folder: Path) -> str:
        """Return the shipped file with other ports and paths, lower limits and shorter times."""
        text = CONFIG.read_text(encoding="utf-8")
        paths = "".join(
            f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        changes = {
            "/run/nginx.pid": str(folder / "nginx.pid"),
            "/etc/nginx/cert.pem": str(folder / "cert.pem"),
            "/etc/nginx/key.pem": str(folder / "key.pem"),
            "http {": f"http {{ {paths}",
            "listen 443 ssl ": f"listen 127.0.0.1:{self.port} ssl ",
            "listen 80": f"listen 127.0.0.1:{self.plain_port}",
            "server 127.0.0.1:8000": f"server 127.0.0.1:{self.service.port}",
            "client_max_body_size 200m": "client_max_body_size 2m",
            "limit_conn streams 400": "limit_conn streams 10",
            "worker_processes auto": "worker_processes 1",
        }
        for before, after in changes.items():
            assert text.count(before) == 1, before
            text = text.replace(before, after)
        text = text.replace("limit_conn connections 64", "limit_conn connections 8")
        for name in WAITS:
            text, count = re.subn(rf"\b{name} \d+s;", f"{name} {SECONDS:g}s;", text)
            assert count == 1, name
        return text


@contextlib.contextmanager
def edge(service: Process, folder: Path) -> Iterator[Edge]:
    folder.mkdir()
    front = Edge(service, folder)
    try:
        yield front
    finally:
        front.close()


def nginx() -> str:
    """Return the path of nginx, or an empty text; on Debian it is outside the PATH of users."""
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin") or ""


def make_certificate(folder: Path) -> ssl.SSLContext:
    """Create a certificate for localhost; return a context that trusts it."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
        f" -addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}".split(),
        capture_output=True,
        check=True,
    )
    return ssl.create_default_context(cafile=str(certificate))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_all(raw: socket.socket) -> bytes:
    """Return the bytes up to the end of the connection; a connection that stays open is a timeout."""
    received = bytearray()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while piece := raw.recv(65536):
            received += piece
    return bytes(received)


def is_cut(raw: socket.socket, data: bytes, *, within: float = 8 * SECONDS) -> bool:
    """Send the same data again and again; return whether the other side closes the connection within the time."""
    deadline = time.monotonic() + within
    raw.settimeout(within)
    with contextlib.suppress(TimeoutError):
        try:
            while time.monotonic() < deadline:
                raw.sendall(data)
        except (ConnectionError, ssl.SSLError):
            return True
    return False
