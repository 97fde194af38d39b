"""Many machines: the same work as tasks of Ray Data."""

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
"""Bytes of recordings in a task, about: much against what starting it costs, little when a node dies on it."""

TASKS_A_CORE, MOST_TASKS = 4, 10_000
"""Tasks at least, so that the cores end at the same time; and at most, since the driver knows each."""

CONNECT_SECONDS = 10
"""Time that a host has to take a connection."""

QUERY_SECONDS = 15
"""Time that a cluster then has to answer, the start of the process that asks included."""

Muted = Callable[[], AbstractContextManager[object]]
"""Makes a block in which standard output goes nowhere."""

_QUERY = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"
_RAY_THREADS = "ray_"
_SILENT = logging.CRITICAL + 1
_decoder = msgspec.msgpack.Decoder(Answer)


class RayEngine:
    """A Ray cluster, or Ray on this machine.

    Recordings, and a model that is given as a path, must lie at the same path on every node, and emovox be installed
    in the same version. Ray's own retries are off, since it has no end of them where a recording kills whatever reads
    it: what a dead worker or node leaves undone is given out again by `emovox.batch.engine.answers`.

    Args:
        address: of the cluster, as for `ray.init`; Ray is started on this machine, and ended, unless given.
        workers: tasks at a time; one a core unless given.
        prepare: makes a worker ready.
    """

    retries = 3  # one more than a bad recording needs to be sure of, since nodes may die meanwhile

    def __init__(
        self, address: str | None = None, workers: int | None = None, *, prepare: Prepare = RecordingAnalyzer
    ) -> None:
        self._address, self._workers, self._prepare = address, workers, prepare

    def run(self, job: Job, items: Sequence[Item], *, alone: bool) -> Generator[Answer]:
        """See `Engine.run`; with `alone`, each recording is a task of its own."""
        with _connected(self._address, self._workers) as muted:
            with muted():
                _check_nodes(job, self._prepare)
            for some, tasks in self._shares(items, alone=alone):
                with closing(self._answers(job, some, tasks=tasks, muted=muted)) as answers:
                    yield from answers

    def _shares(self, items: Sequence[Item], *, alone: bool) -> Iterator[tuple[Sequence[Item], int]]:
        """Give what is to be done in one go, and in how many tasks."""
        if not alone:
            yield items, min(_count_tasks(items, self._workers or _count_cores()), MOST_TASKS)
            return
        for first in range(0, len(items), MOST_TASKS):
            some = items[first : first + MOST_TASKS]
            yield some, len(some)

    def _answers(self, job: Job, items: Sequence[Item], *, tasks: int, muted: Muted) -> Generator[Answer]:
        encoded = [{"item": msgspec.msgpack.encode(item)} for item in items]
        with muted(), warnings.catch_warnings():  # that such options will have another way in, from Ray 2.64 on
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
        except RayError:  # a node died with answers on it: those that have come are good
            return


def analyse_batch(batch: dict[str, Any], job: Job, prepare: Prepare) -> dict[str, list[bytes]]:
    """Be a task: items in, answers out, both as bytes; the model is loaded once in each process."""
    analyse, decoder = _prepared(prepare, job), msgspec.msgpack.Decoder(Item)
    return {"answer": [msgspec.msgpack.encode(analyse(decoder.decode(item))) for item in batch["item"]]}


@lru_cache(maxsize=1)
def _prepared(prepare: Prepare, job: Job) -> Analyse:
    return prepare(job)


class WithoutRayOutput:
    """A stream without what Ray's own threads write: they tell at any time of nodes that died.

    Args:
        stream: gets the rest.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or not."""
        if threading.current_thread().name.startswith(_RAY_THREADS):
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        """Be that stream in all else."""
        return getattr(self._stream, name)


@contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[Muted]:
    """Connect to the cluster, or start Ray here, and let it say nothing: it writes to standard output, much and late.

    Gives what its callers put around calls of Ray, and around nothing else: other output is not ours to hide.

    Raises:
        WorkerError: there is no cluster at `address`.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    start: dict[str, Any] = {} if address else {"num_cpus": workers, "include_dashboard": False}
    with (
        ExitStack() as stack,
        open(os.devnull, "w", encoding="utf-8") as nowhere,
    ):  # open to the end: Ray may hold on to it
        stack.enter_context(redirect_stdout(cast("TextIO", WithoutRayOutput(sys.stdout))))
        muted = partial(redirect_stdout, nowhere)
        try:
            _check_address(address)
            with muted(), _signals_kept():
                ray.init(address or "local", log_to_driver=False, logging_level=_SILENT, **start)
        except (OSError, RuntimeError, ValueError) as error:
            raise WorkerError(
                f"{address or 'local'}: no Ray to be had there ({error}); expected HOST:PORT of a running head "
                "node, as 'ray start --head' tells it"
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
    """Put back what a termination signal does: Ray's own way ends in an abort, with a stack trace."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _check_address(address: str | None) -> None:
    """Look whether a Ray listens at HOST:PORT: Ray itself would wait for minutes.

    Raises:
        OSError: none does.
        ValueError: the port is no number.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    if address and host and not address.startswith("ray://"):  # whose client has a time limit of its own
        _query(address)


def _query(address: str) -> None:
    """Let Ray's own client ask what listens there for its cluster.

    In a process that can be ended: the client waits in C++, where it heeds no interrupt, and writes to standard error.

    Raises:
        OSError: it is no Ray, or none that this Ray can talk to.
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
    context.max_errored_blocks = -1  # they are left out


def _check_nodes(job: Job, prepare: Prepare) -> None:
    """Let every node load the model and look for the folder, before any recording would get an error from it.

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
        except RayError:  # it has died meanwhile: the others do the work
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
