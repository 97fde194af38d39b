"""An engine for many machines: tasks of Ray Data."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, redirect_stdout
from functools import lru_cache, partial
from math import ceil
from typing import Any, TextIO, cast

import msgspec
import ray
import ray.data
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from emovox.batch.job import Analyse, Answer, Item, Job, Prepare, RecordingAnalyzer
from emovox.batch.plan import check_directory
from emovox.schema.errors import WorkerError

TASK_BYTES = 2**25
"""Bytes of recordings per task, about: long compared with the start of a task, little to repeat if a node dies."""

TASKS_A_CORE, MOST_TASKS = 4, 10_000
"""Tasks per core, at least, so that all cores end together; and tasks in all, at most, since the driver holds each."""

CONNECT_SECONDS = 10
"""Seconds for a host to accept a connection."""

QUERY_SECONDS = 15
"""Seconds for a cluster to answer after that, including the start of the process that asks."""

Muted = Callable[[], AbstractContextManager[object]]
"""Makes a block without standard output."""

_QUERY = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"
_RAY_THREADS = "ray_"
_SILENT = logging.CRITICAL + 1
_decoder = msgspec.msgpack.Decoder(Answer)


class RayEngine:
    """A Ray cluster, or Ray on this machine.

    Every node needs the recordings, and a model that is given as a path, at the same path, and the same version of
    emovox. Ray's retries are off: they never end if a recording kills each worker that reads it. Instead,
    `emovox.batch.engine.answers` repeats what a dead worker or node leaves undone.

    Args:
        address: address of the cluster, as for `ray.init`; None starts Ray on this machine, and ends it.
        workers: tasks at a time; None runs one per core.
        prepare: loads what a worker needs.
    """

    retries = 3  # one more than on one machine needs, since nodes may die in the meantime

    def __init__(
        self, address: str | None = None, workers: int | None = None, *, prepare: Prepare = RecordingAnalyzer
    ) -> None:
        self._address, self._workers, self._prepare = address, workers, prepare

    def run(self, job: Job, items: Sequence[Item], *, alone: bool) -> Generator[Answer]:
        """Analyse recordings as `Engine.run` does; with `alone`, each recording is a separate task."""
        with _connected(self._address, self._workers) as muted:
            with muted():
                _check_nodes(job, self._prepare)
            for some, tasks in self._shares(items, alone=alone):
                with closing(self._answers(job, some, tasks=tasks, muted=muted)) as answers:
                    yield from answers

    def _shares(self, items: Sequence[Item], *, alone: bool) -> Iterator[tuple[Sequence[Item], int]]:
        """Yield the items of each run of Ray Data, and their number of tasks."""
        if not alone:
            yield items, min(_count_tasks(items, self._workers or _count_cores()), MOST_TASKS)
            return
        for first in range(0, len(items), MOST_TASKS):
            some = items[first : first + MOST_TASKS]
            yield some, len(some)

    def _answers(self, job: Job, items: Sequence[Item], *, tasks: int, muted: Muted) -> Generator[Answer]:
        encoded = [{"item": msgspec.msgpack.encode(item)} for item in items]
        with muted(), warnings.catch_warnings():  # Ray 2.64 warns that it will take such options in another way
            warnings.simplefilter("ignore")
            answered = ray.data.from_items(encoded, override_num_blocks=tasks).map_batches(
                analyse_batch,
                fn_args=(job, self._prepare),
                batch_size=None,
                batch_format="numpy",
                compute=ray.data.TaskPoolStrategy(self._workers),
                num_cpus=1,
                max_retries=0,
            )
        try:
            with muted():
                batches = iter(answered.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0))
                batch = next(batches, None)
            while batch is not None:
                yield from map(_decoder.decode, batch["answer"])
                with muted():
                    batch = next(batches, None)
        except RayError:  # a node died with answers on it; the answers so far are good
            return


def analyse_batch(batch: dict[str, Any], job: Job, prepare: Prepare) -> dict[str, list[bytes]]:
    """Run one task: return the answers to a batch of items, both as bytes. Each process loads the model once."""
    analyse, decoder = _prepared(prepare, job), msgspec.msgpack.Decoder(Item)
    return {"answer": [msgspec.msgpack.encode(analyse(decoder.decode(item))) for item in batch["item"]]}


@lru_cache(maxsize=1)
def _prepared(prepare: Prepare, job: Job) -> Analyse:
    return prepare(job)


class WithoutRayOutput:
    """A stream without what Ray's threads write: they report dead nodes at any time.

    Args:
        stream: receives all other output.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, unless a thread of Ray calls. Return its length."""
        if threading.current_thread().name.startswith(_RAY_THREADS):
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream."""
        return getattr(self._stream, name)


@contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[Muted]:
    """Connect to the cluster, or start Ray on this machine, without its output on standard output.

    Yields a block for calls of Ray, which mutes standard output. Other output stays visible.

    Raises:
        WorkerError: there is no cluster at `address`.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    start: dict[str, Any] = {} if address else {"num_cpus": workers, "include_dashboard": False}
    with (
        ExitStack() as stack,
        open(os.devnull, "w", encoding="utf-8") as nowhere,
    ):  # open to the end, since Ray may keep it
        stack.enter_context(redirect_stdout(cast("TextIO", WithoutRayOutput(sys.stdout))))
        muted = partial(redirect_stdout, nowhere)
        try:
            _check_address(address)
            with muted(), _signals_kept():
                ray.init(address or "local", log_to_driver=False, logging_level=_SILENT, **start)
        except (OSError, RuntimeError, ValueError) as error:
            raise WorkerError(
                f"{address or 'local'}: no Ray cluster found ({error}); expected HOST:PORT of a running head "
                "node, as 'ray start --head' prints it"
            ) from error
        try:
            with muted():
                _silence_logs()
            yield muted
        finally:
            with muted():
                ray.shutdown()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Restore the handler of the termination signal after the block: Ray's handler aborts, with a stack trace."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _check_address(address: str | None) -> None:
    """Check that Ray listens at HOST:PORT. Ray's own check would wait for minutes.

    Raises:
        OSError: nothing listens there, or something that is not Ray.
        ValueError: the port is no number.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    if address and host and not address.startswith("ray://"):  # the client of ray:// has a time limit
        _query(address)


def _query(address: str) -> None:
    """Check with Ray's client that a compatible cluster listens at an address.

    The client runs in another process, which can be ended: it waits in C++, ignores interrupts and writes to standard
    error.

    Raises:
        OSError: it is not Ray, or an incompatible version.
    """
    command = [sys.executable, "-P", "-c", _QUERY, address]
    try:
        query = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=QUERY_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"something listens, but did not answer as Ray does within {QUERY_SECONDS} s") from error
    if query.returncode:
        lines = query.stderr.decode(errors="replace").split("\n")
        raise ConnectionError(next(filter(str.strip, reversed(lines)), f"exit status {query.returncode}"))


def _silence_logs() -> None:
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(_SILENT)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = -1  # failed blocks are left out


def _check_nodes(job: Job, prepare: Prepare) -> None:
    """Check that every node can load the model and list the folder; otherwise every recording would be an error.

    Raises:
        WorkerError: a node cannot do the work.
    """
    check = ray.remote(num_cpus=0, max_retries=0)(_check_node)
    nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    for node, answer in [
        (node, check.options(scheduling_strategy=_only_on(node)).remote(job, prepare)) for node in nodes
    ]:
        try:
            ray.get(answer)
        except RayTaskError as error:
            raise WorkerError(
                f"Ray node {nodes[node]}: cannot do the work ({_last_line(error)}); expected emovox in the "
                "same version, and recordings and model at the same path as here"
            ) from error
        except RayError:  # the node has died in the meantime: the others do the work
            continue


def _check_node(job: Job, prepare: Prepare) -> None:
    _prepared(prepare, job)
    check_directory(job.directory)


def _only_on(node: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node, soft=False)


def _last_line(error: RayTaskError) -> str:
    return str(error.cause or error).strip().splitlines()[-1]


def _count_cores() -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _count_tasks(items: Sequence[Item], cores: int) -> int:
    by_size = ceil(sum(item.size for item in items) / TASK_BYTES)
    return max(1, min(len(items), max(by_size, TASKS_A_CORE * cores)))
