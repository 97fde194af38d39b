"""Many machines: the same work as tasks of Ray Data."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from math import ceil
from typing import Any

import msgspec
import ray
import ray.data
from ray.exceptions import RayError

from emovox.archive.job import Analyst, Answer, Item, Job
from emovox.archive.plan import check_directory
from emovox.schema.errors import EmovoxError, WorkerError

TASK_BYTES = 2**25
"""Bytes of recordings that a task is given, about: long against its start, short to do again."""

TASKS_A_CORE, MOST_TASKS = 4, 10_000

class RayEngine:
    retries = 3
    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        self._address, self._workers = address, workers

    def run(self, job: Job, items: Sequence[Item], *, alone: bool) -> Generator[Answer]:
        with _connected(self._address, self._workers):
            cores = self._workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
            tasks = len(items) if alone else _count_tasks(items, cores=cores)
            rows = [{"item": msgspec.msgpack.encode(item)} for item in items]
            answers = ray.data.from_items(rows, override_num_blocks=min(tasks, MOST_TASKS)).map_batches(
                analyse_batch, batch_size=None, batch_format="numpy", fn_args=(msgspec.msgpack.encode(job),), num_cpus=1, concurrency=self._workers, max_retries=0
            )
            decoder = msgspec.msgpack.Decoder(Answer)
            try:
                for batch in answers.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
                    yield from (decoder.decode(data) for data in batch["answer"])
            except RayError as error:
                print("LOST", error)

def analyse_batch(batch: dict[str, Any], job: bytes) -> dict[str, list[bytes]]:
    analyse = _analyst(job)
    decoder = msgspec.msgpack.Decoder(Item)
    return {"answer": [msgspec.msgpack.encode(analyse(decoder.decode(data))) for data in batch["item"]]}

@lru_cache(maxsize=1)
def _analyst(job: bytes) -> Analyst:
    return Analyst(msgspec.msgpack.decode(job, type=Job))

def _count_tasks(items: Sequence[Item], *, cores: int) -> int:
    by_size = ceil(sum(item.size for item in items) / TASK_BYTES)
    return max(1, min(len(items), max(by_size, TASKS_A_CORE * cores)))

@contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[None]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ours = not ray.is_initialized()
    if ours:
        logging.getLogger("ray").setLevel(logging.ERROR)
        ray.init(address=address or "local", num_cpus=None if address else workers, include_dashboard=None if address else False, log_to_driver=False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1
    try:
        yield
    finally:
        if ours:
            ray.shutdown()
