"""`emovox serve` as a process: its first lines, signals, workers, TLS, and the files that it leaves."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from emovox.testing import write_toy
from tests.serving.process import CODE, Process, service
from tests.serving.running import END, PATIENCE, begin, close_code, pcm, received, rest, word

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and workers as on POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_toy(tmp_path)
    (tmp_path / "tmp").mkdir()
    return tmp_path


def test_it_says_what_it_serves_and_leaves_nothing(folder: Path) -> None:
    with service(folder) as server:
        assert json.loads(server.get("/healthz"))["ready"]
        assert oct((next((folder / "tmp").glob("emovox-serve-*"))).stat().st_mode)[-3:] == "700"
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        output = "".join(server.lines)
    assert "serves toy 1.2.0 at http://127.0.0.1:" in output
    assert "weights: Apache-2.0; risk: none" in output
    assert re.search(r"about \d+ live ones on \d+ cores", output)
    assert "prohibited in the EU" in output
    assert "Traceback" not in output
    assert list((folder / "tmp").glob("emovox*")) == []


def test_log_as_json(folder: Path) -> None:
    with service(folder, "--log", "json") as server:
        server.get("/healthz")
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        lines = [json.loads(line) for line in server.lines]
    assert lines[0]["event"] == "ready"
    assert lines[0]["model"] == "toy 1.2.0"
    request = next(line for line in lines if line["event"] == "request")
    assert (request["route"], request["status"], request["level"]) == ("/healthz", 200, "info")


@pytest.mark.parametrize(
    ("number", "workers"),
    [*itertools.product([signal.SIGTERM, signal.SIGINT], ["1", "2"]), (signal.SIGHUP, "1")],
)
def test_a_signal_finishes_what_is_in_flight(folder: Path, number: signal.Signals, workers: str) -> None:
    with service(folder, "--workers", workers) as server:
        server.get("/healthz")
        with connect(server.url) as socket:
            begin(socket)
            socket.send(pcm(word())[:60_000])
            assert received(socket)["type"] == "speech.started"
            server.process.send_signal(number)
            kinds = [message["type"] for message in rest(socket) if message["type"] != "emotion.updated"]
            assert kinds == ["speech.ended", "session.ended", "error"]
            assert close_code(socket) == 1001
        assert server.wait() == 0
    assert list((folder / "tmp").glob("emovox*")) == []


def test_a_second_signal_ends_it_at_once(folder: Path) -> None:
    with service(folder, "--shutdown-seconds", "60") as server:
        server.get("/healthz")
        with connect(server.url, max_queue=1, close_timeout=0.1) as socket:
            begin(socket)
            for _ in range(2):
                server.process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            begun = time.monotonic()
            # 143: it had ended its streams before the second one came; -15: Python itself was on its way out
            assert server.wait() in (0, 143, -signal.SIGTERM)
            assert time.monotonic() - begun < 10
    assert list((folder / "tmp").glob("emovox*")) == []


@pytest.mark.parametrize(("signals", "seconds"), [(2, "60"), (1, "1")])
def test_an_upload_that_the_end_cuts_off_is_told_so(folder: Path, signals: int, seconds: str) -> None:
    with service(folder, "--shutdown-seconds", seconds) as server:
        server.get("/healthz")
        with connect(server.url), socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as upload:
            upload.sendall(
                b"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
            )
            time.sleep(0.2)
            for _ in range(signals):
                server.process.send_signal(signal.SIGINT)
                time.sleep(0.2)
            head, _, body = upload.makefile("rb").read().partition(b"\r\n\r\n")
        assert server.wait() == 0
    assert head.startswith(b"HTTP/1.1 503")
    assert json.loads(body)["error"]["code"] == "shutting_down"
    assert "Traceback" not in "".join(server.lines)


def test_workers_share_the_work_and_one_that_is_killed_is_replaced(folder: Path) -> None:
    with service(folder, "--workers", "2", "--answer-seconds", "1") as server:
        server.get("/healthz")
        for _ in range(8):
            server.get("/v1/models")
        before = _children(server.process.pid)
        assert len(before) == 2
        assert _requests(server) >= 8
        os.kill(before[0], signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while (len(now := _children(server.process.pid)) < 2 or now == before) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(now) == 2
        for _ in range(4):
            with connect(server.url) as socket:
                begin(socket)
                socket.send(END)
                assert rest(socket)[-1]["type"] == "session.ended"
        assert b"emovox_streams 0.0" in server.get("/metrics")
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        assert any("] died" in line for line in server.lines)


def test_workers_do_not_outlive_their_parent(folder: Path) -> None:
    with service(folder, "--workers", "2") as server:
        server.get("/healthz")
        children = _children(server.process.pid)
        server.process.kill()
        deadline = time.monotonic() + PATIENCE
        while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    with service(folder):
        assert len(list((folder / "tmp").glob("emovox-serve-*"))) == 1  # the killed one's was swept


def test_tls(folder: Path) -> None:
    certificate, key = str(folder / "cert.pem"), str(folder / "key.pem")
    made = subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
        f" -keyout {key} -out {certificate}".split(),
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("needs openssl")
    trust = ssl.create_default_context(cafile=certificate)
    with service(folder, "--ssl-cert", certificate, "--ssl-key", key) as server:
        assert server.scheme == "https"
        with connect(server.url, ssl=trust) as socket:
            begin(socket)
            socket.send(pcm(word()))
            socket.send(END)
            assert rest(socket)[-1]["type"] == "session.ended"
        with contextlib.suppress(OSError, ConnectionClosed):
            assert b"200" not in _plainly(server.port)
        assert _is_healthy(server, {"EMOVOX_SERVE_SSL_CERT": certificate})
        assert not _is_healthy(server, {})


def test_the_health_check_of_the_container(folder: Path) -> None:
    with service(folder) as server:
        assert _is_healthy(server, {"http_proxy": "http://127.0.0.1:9"})
        server.process.kill()
        server.process.wait(PATIENCE)
        assert not _is_healthy(server, {})


def test_it_starts_in_time(folder: Path) -> None:
    begun = time.monotonic()
    with service(folder) as server:
        server.get("/healthz")
        stat = Path(f"/proc/{server.process.pid}/stat")
        if stat.exists():  # what it costs, since other tests may share the cores
            fields = stat.read_text().rpartition(")")[2].split()
            assert (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") < 2.0
        else:
            assert time.monotonic() - begun < 4.0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--ssl-cert", "x"], "got one of ssl_cert and ssl_key"),
        (["--ssl-cert", "x", "--ssl-key", "y"], "ssl_cert x and ssl_key y: cannot be used"),
        (["--host", "203.0.113.1"], "cannot listen on 203.0.113.1"),
        (["--host", 70 * "ü"], "encoding of hostname failed"),
        (["--key-file", "nowhere"], "key_file nowhere: cannot be read"),
        (["--workers", "0"], "flags: workers: got 0, expected greater than or equal to 1"),
    ],
)
def test_what_cannot_work_is_one_line(folder: Path, arguments: list[str], problem: str) -> None:
    command = [sys.executable, "-c", CODE, "serve", "--port", "0", "--model", str(folder / "toy.json"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert problem in line


def _is_healthy(server: Process, environment: dict[str, str]) -> bool:
    script = Path(__file__).parents[2] / "docker" / "healthcheck.py"
    variables = os.environ | {"EMOVOX_SERVE_PORT": str(server.port)} | environment
    done = subprocess.run([sys.executable, str(script)], env=variables, capture_output=True, check=False)
    return done.returncode == 0


def _plainly(port: int) -> bytes:
    """Return the answer of a service with TLS to a client without it."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return raw.recv(100)


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sorted(int(child) for child in children if b"spawn_main" in _command(int(child)))


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _requests(server: Process) -> float:
    text = server.get("/metrics").decode()
    return sum(float(value) for value in re.findall(r'requests_total\{.*route="/v1/models".*\} ([\d.]+)', text))
