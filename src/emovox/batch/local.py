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
"""Recordings given to a worker at once: it never waits for the next one."""

MOST_DEATHS = 10
"""Workers that die one after the other without an answer between, before the work is given up."""

_context = get_context("spawn")  # not fork: inference sessions hold threads, which a fork would copy half alive
_decoder = msgspec.msgpack.Decoder(Answer)


Serve = Callable[[Connection], None]
"""What a worker does with its end of the pipe until the other is closed."""


class LocalEngine:
    """Worker processes of this machine, one thread each.

    Args:
        workers: how many, >= 1; as many as there are cores for this process unless given.
        prepare: makes a worker ready.
    """

    retries = 1

    def __init__(self, workers: int | None = None, *, prepare: Prepare = RecordingAnalyzer) -> None:
        self.workers = workers or usable_cores()
        self._prepare = prepare

    def run(self, job: Job, items: Sequence[Item], *, alone: bool) -> Generator[Answer]:
        """See `Engine.run`; with `alone`, there is one worker, and it has one recording at a time."""
        workers = 1 if alone else min(self.workers, len(items))
        pool = _Pool(partial(_serve, job=job, prepare=self._prepare), items, ahead=1 if alone else AHEAD)
        try:
            yield from pool.answers(workers)
        finally:
            pool.end()


class _Pool:
    """Workers, and what is still to be given to them."""

    def __init__(self, serve: Serve, items: Sequence[Item], *, ahead: int) -> None:
        self._serve, self._ahead = serve, ahead
        self._waiting = deque(items)
        self._workers: dict[object, _Worker] = {}  # by their pipes, which are of another type on Windows
        self._deaths = 0

    def answers(self, count: int) -> Iterator[Answer]:
        self._assign(count)
        while self._workers:
            for pipe in wait([worker.pipe for worker in self._workers.values()]):
                if answer := self._receive(self._workers[pipe]):
                    yield answer
            self._assign(count)

    def end(self) -> None:
        """Kill what still runs: workers hold nothing that could be lost."""
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
        except (EOFError, OSError):  # killed, perhaps in the middle of an answer
            self._replace_dead(worker)
            return None
        worker.pending.popleft()
        self._deaths = 0
        return answer

    def _replace_dead(self, worker: _Worker) -> None:
        """Leave out what it died on, and give the rest to others."""
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
    """A process, our end of its pipe, and the recordings that it has not yet answered, the one at work first."""

    def __init__(self, serve: Serve) -> None:
        self.pipe, theirs = _context.Pipe()
        self.process = _context.Process(target=serve, args=(theirs,), daemon=True)
        self.pending: deque[Item] = deque()
        with theirs, _interrupts_held():
            self.process.start()

    def give(self, item: Item) -> None:
        self.pending.append(item)
        with suppress(OSError):  # it is dead: hearing it will tell
            self.pipe.send_bytes(msgspec.msgpack.encode(item))

    def close(self) -> None:
        """End it: without its pipe it has nothing to do."""
        self.pipe.close()
        self.process.join()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C from a process that is just being started: held signals stay so in what is started meanwhile."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, job: Job, prepare: Prepare) -> None:
    """Be a worker: answer until the pipe is closed."""
    obey_parent()
    analyse = prepare(job)
    decoder, encoder = msgspec.msgpack.Decoder(Item), msgspec.msgpack.Encoder()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send_bytes(encoder.encode(analyse(decoder.decode(pipe.recv_bytes()))))
