"""The same work on a real Ray cluster of two nodes on this machine, one of which dies on the way."""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer

from emovox.batch import cluster as cluster_module
from emovox.batch.cluster import RayEngine
from emovox.batch.job import Answer, Item
from emovox.batch.voices import Adapting
from emovox.schema.errors import WorkerError
from tests.batch.archives import (
    Dying,
    Slow,
    analysed,
    files_of,
    opened,
    rows_of,
    same_rows,
    unobserved,
    write_archive,
    write_bad,
    write_recording,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ray's clusters are for POSIX systems")

MEMORY = 80_000_000
"""Bytes of a node's object store."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head node with one core; tests add others."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))  # of the nodes' workers
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": MEMORY}
        made = Cluster(initialize_head=True, head_node_args=head)
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def second(cluster: Any) -> Any:
    node = cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
    cluster.wait_for_nodes()
    return node


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return write_archive(tmp_path, files=12)


@contextmanager
def hidden(path: Path) -> Iterator[None]:
    """Take a file away, as if it were missing on another machine."""
    path.rename(path.with_suffix(".hidden"))
    yield
    path.with_suffix(".hidden").rename(path)


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@contextmanager
def web_server() -> Iterator[str]:
    """A web server, and its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.05))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def silence() -> Iterator[str]:
    """What takes connections and says nothing, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.usefixtures("second")
def test_two_nodes_give_the_rows_of_one_process(
    cluster: Any, calls: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_bad(calls)
    for name in ("1/once", "1/\udcff", "lost/kill", "lost/raise"):  # a lost recording would be missing from its voice
        write_recording(calls / f"{name}.wav")
    folders = Adapting("folder")  # so that both passes are compared
    analysed(calls, tmp_path / "one.parquet", adapting=folders)
    with opened(calls, tmp_path / "ray.parquet", adapting=folders) as archive:
        tally = archive.run(RayEngine(cluster.address, prepare=Dying), unobserved)
    assert tally.errors == {"empty": 1, "unreadable": 1, "undecodable": 2, "non_finite": 1, "worker_died": 2}
    expected = [row for row in rows_of(tmp_path / "one.parquet") if not row["file"].startswith("lost/")]
    assert [row for row in rows_of(tmp_path / "ray.parquet") if row["error_code"] != "worker_died"] == expected
    assert len(files_of(tmp_path / "ray.parquet")) == 12 + 6 + 4
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_a_node_that_is_lost_on_the_way_loses_no_row(
    cluster: Any, second: Any, calls: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        write_recording(calls / "many" / f"{number}.wav")
    analysed(calls, tmp_path / "one.parquet")
    seen = []

    def pull(item: Item, answer: Answer) -> None:
        seen.append(item.index)
        if len(seen) == 8:
            cluster.remove_node(second, allow_graceful=False)

    with opened(calls, tmp_path / "ray.parquet") as archive:
        tally = archive.run(RayEngine(cluster.address, prepare=Slow), pull)
    assert sorted(seen) == list(range(42))
    assert tally.failed == 0
    assert same_rows(tmp_path / "ray.parquet", tmp_path / "one.parquet")
    assert capfd.readouterr().out == ""


def test_alone_is_alone_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "MOST_TASKS", 2)
    items = [Item(number, b"a.wav", 10) for number in range(5)]
    shares = list(RayEngine(workers=1)._shares(items, alone=True))
    assert [(len(some), tasks) for some, tasks in shares] == [(2, 2), (2, 2), (1, 1)]
    assert [item for some, _ in shares for item in some] == items
    assert list(RayEngine(workers=1)._shares(items, alone=False)) == [(items, 2)]


def test_what_others_print_meanwhile_is_printed(
    cluster: Any, calls: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with opened(calls, tmp_path / "ray.parquet") as archive:
        archive.run(RayEngine(cluster.address), lambda item, _answer: typer.echo(item.index))
    assert sorted(map(int, capfd.readouterr().out.split())) == list(range(12))


def test_what_rays_threads_write_is_dropped() -> None:
    stream = io.StringIO()
    sieve = cluster_module.WithoutRayOutput(stream)
    for name in ("ray_print_logs", "other"):
        thread = threading.Thread(target=sieve.write, args=(name,), name=name)
        thread.start()
        thread.join()
    assert sieve.getvalue() == "other"


def test_a_failure_puts_the_signal_back() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def fail() -> None:
        with cluster_module._signals_kept():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise OSError("no Ray")

    with pytest.raises(OSError, match="no Ray"):
        fail()
    assert signal.getsignal(signal.SIGTERM) == before


def test_no_cluster_at_the_address(calls: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(WorkerError, match=r"127\.0\.0\.1:1: no Ray cluster found .* expected HOST:PORT"),
        opened(calls, tmp_path / "out.parquet") as archive,
    ):
        archive.run(RayEngine("127.0.0.1:1"), unobserved)
    assert not list(tmp_path.glob("out.parquet*"))


@pytest.mark.parametrize("listening", [web_server, silence])
def test_what_listens_at_the_address_is_web_server(
    listening: Callable[[], AbstractContextManager[str]],
    calls: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cluster_module, "QUERY_SECONDS", 3)
    with (
        listening() as address,
        pytest.raises(WorkerError, match=rf"{address}: no Ray cluster found \(something listens, .* within 3 s"),
        opened(calls, tmp_path / "out.parquet") as archive,
    ):
        archive.run(RayEngine(address), unobserved)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.glob("out.parquet*"))


def test_what_the_asking_client_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_QUERY", "raise SystemExit('other\\nno such cluster\\n')")
    with web_server() as address, pytest.raises(ConnectionError, match=r"^no such cluster$"):
        cluster_module._check_address(address)
    monkeypatch.setattr(cluster_module, "_QUERY", "raise SystemExit(3)")
    with web_server() as address, pytest.raises(ConnectionError, match=r"^exit status 3$"):
        cluster_module._check_address(address)


def test_a_node_that_cannot_do_the_work_is_named(cluster: Any, calls: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(WorkerError, match=r"Ray node [\d.]+: cannot do the work .*expected emovox in the same version"),
        opened(calls, tmp_path / "out.parquet") as archive,
        hidden(tmp_path / "toy.onnx"),
    ):
        archive.run(RayEngine(cluster.address), unobserved)
