"""An engine of processes on this machine. A worker that dies loses one recording and no other.

Not on pebble's `ProcessPool`, which is as fast: a worker that is killed while no other has a recording, as when models
load, ends that pool for good (10 of 10 runs with random kills). Here each worker has its own pipe, and is replaced.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

import msgspec

from emovox.batch.job import Answer, Item, Job, Prepare, RecordingAnalyzer
from emovox.schema.errors import WorkerError
from emovox.schema.processes import obey_parent, usable_cores

AHEAD = 2
"""Recordings that a worker has at a time: with two, it never waits for the next one."""

MOST_DEATHS = 10
"""Workers that may die one after the other without an answer in between. After more, the work stops."""

_context = get_context("spawn")  # not fork, which would break the threads of inference sessions
_decoder = msgspec.msgpack.Decoder(Answer)


Serve = Callable[[Connection], None]
"""Serves recordings in a worker, from its end of the pipe, until the other end is closed."""


class LocalEngine:
    """Worker processes on this machine, with one thread each.

    Args:
        workers: number of processes, >= 1; None runs one per core that this process may use.
        prepare: loads what a worker needs.
    """

    retries = 1

    def __init__(self, workers: int | None = None, *, prepare: Prepare = RecordingAnalyzer) -> None:
        self.workers = workers or usable_cores()
        self._prepare = prepare

    def run(self, job: Job, items: Sequence[Item], *, alone: bool) -> Generator[Answer]:
        """Analyse recordings as `Engine.run` does; with `alone`, one worker has one recording at a time."""
        workers = 1 if alone else min(self.workers, len(items))
        pool = _Pool(partial(_serve, job=job, prepare=self._prepare), items, ahead=1 if alone else AHEAD)
        try:
            yield from pool.answers(workers)
        finally:
            pool.end()


class _Pool:
    """Workers, and the recordings that wait for them."""

    def __init__(self, serve: Serve, items: Sequence[Item], *, ahead: int) -> None:
        self._serve, self._ahead = serve, ahead
        self._waiting = deque(items)
        self._workers: dict[object, _Worker] = {}  # by pipe, whose type differs on Windows
        self._deaths = 0

    def answers(self, count: int) -> Iterator[Answer]:
        """Yield the answers of `count` workers, in the order in which they come."""
        self._assign(count)
        while self._workers:
            for pipe in wait([worker.pipe for worker in self._workers.values()]):
                if answer := self._receive(self._workers[pipe]):
                    yield answer
            self._assign(count)

    def end(self) -> None:
        """Kill the workers that still run; they hold nothing that could be lost."""
        for worker in self._workers.values():
            worker.process.kill()
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def _assign(self, count: int) -> None:
        while self._waiting and len(self._workers) < count:
            worker = _Worker(self._serve)
            self._workers[worker.pipe] = worker
            worker.give(self._waiting.popleft())
        for worker in list(self._workers.values()):
            while self._waiting and len(worker.pending) < self._ahead:
                worker.give(self._waiting.popleft())
            if not worker.pending:
                self._close(worker)

    def _receive(self, worker: _Worker) -> Answer | None:
        try:
            answer = _decoder.decode(worker.pipe.recv_bytes())
        except (EOFError, OSError):  # the worker was killed, perhaps in the middle of an answer
            self._replace_dead(worker)
            return None
        worker.pending.popleft()
        self._deaths = 0
        return answer

    def _replace_dead(self, worker: _Worker) -> None:
        """Drop the recording that the worker died on, and put its others back into the queue."""
        self._close(worker)
        self._deaths += 1
        if self._deaths > MOST_DEATHS:
            raise WorkerError(
                f"{self._deaths} worker processes have died one after the other, the last one with exit code "
                f"{worker.process.exitcode}, expected answers; look for their message above, and whether memory is "
                "short (--workers)"
            )
        worker.pending.popleft()
        self._waiting.extendleft(reversed(worker.pending))

    def _close(self, worker: _Worker) -> None:
        del self._workers[worker.pipe]
        worker.close()


class _Worker:
    """A worker process, our end of its pipe, and its recordings without an answer, the one in hand first."""

    def __init__(self, serve: Serve) -> None:
        self.pipe, theirs = _context.Pipe()
        self.process = _context.Process(target=serve, args=(theirs,), daemon=True)
        self.pending: deque[Item] = deque()
        with theirs, _interrupts_held():
            self.process.start()

    def give(self, item: Item) -> None:
        """Send a recording to the worker."""
        self.pending.append(item)
        with suppress(OSError):  # the worker is dead: receiving will show it
            self.pipe.send_bytes(msgspec.msgpack.encode(item))

    def close(self) -> None:
        """Close the pipe, which ends the worker, and wait for its end."""
        self.pipe.close()
        self.process.join()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Block Ctrl-C while a process is started. A new process inherits the blocked signals."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, job: Job, prepare: Prepare) -> None:
    """Answer recordings in a worker process until the pipe is closed."""
    obey_parent()
    analyse = prepare(job)
    decoder, encoder = msgspec.msgpack.Decoder(Item), msgspec.msgpack.Encoder()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send_bytes(encoder.encode(analyse(decoder.decode(pipe.recv_bytes()))))
