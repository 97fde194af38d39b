"""Several processes on one socket: a parent that starts them, replaces one that dies, and ends them together."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from emovox.runtime.predictor import load
from emovox.schema.errors import EmovoxError
from emovox.schema.processes import HURRY, ending_signals, is_haste, obey_parent
from emovox.serving.logs import set_up
from emovox.serving.settings import Settings

YOUNG_SECONDS = 5.0
"""A worker that dies so soon after its start has probably never served; three in a row end the service."""

MOST_YOUNG_DEATHS = 3

_POLL_SECONDS = 0.25

log = logging.getLogger("emovox.serving")


class WorkersError(EmovoxError):
    """Workers die as soon as they are started."""

    code = "workers"


class Workers:
    """The parent of the workers; it serves nothing itself.

    Args:
        settings: `workers` says how many.
        listener: the socket that all of them accept from.
        folder: private; holds `jobs`, and the counters that workers share in `metrics`.
    """

    def __init__(self, settings: Settings, listener: socket.socket, *, folder: Path) -> None:
        self._settings, self._listener, self._folder = settings, listener, folder
        self._context = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks
        self._begun: dict[BaseProcess, float] = {}
        self._ending = self._in_haste = False
        self._young_deaths = 0

    def run(self) -> None:
        """Run until a signal comes: the first ends the workers gracefully, haste at once.

        Raises:
            WorkersError: three workers in a row died young.
        """
        before = {number: signal.signal(number, self._take) for number in ending_signals()}
        try:
            for _ in range(self._settings.workers):
                self._start()
            while not self._ending:
                self._replace_dead(wait([process.sentinel for process in self._begun], timeout=_POLL_SECONDS))
        finally:
            self._end()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._in_haste = self._in_haste or is_haste(number, again=self._ending)
        self._ending = True

    def _start(self) -> None:
        arguments = (self._settings, self._listener, self._folder)
        process = self._context.Process(target=_work, args=arguments, name="emovox-worker")
        process.start()
        self._begun[process] = time.monotonic()

    def _replace_dead(self, sentinels: Sequence[object]) -> None:
        if self._ending:  # they may have ended at the same signal, as it was sent to the whole process group
            return
        for process in [process for process in self._begun if process.sentinel in sentinels]:
            process.join()  # its end shows a moment before its status does
            self._forget(process)
            log.error("worker died", extra={"pid": process.pid, "status": process.exitcode})
            if self._young_deaths >= MOST_YOUNG_DEATHS:
                raise WorkersError(
                    f"{self._young_deaths} workers in a row died within {YOUNG_SECONDS:g} s of their start; "
                    "the log has the reason, --workers 1 shows it best"
                )
            self._start()

    def _forget(self, process: BaseProcess) -> None:
        from emovox.serving.metrics import forget_worker

        young = time.monotonic() - self._begun.pop(process) < YOUNG_SECONDS
        self._young_deaths = self._young_deaths + 1 if young else 0
        if process.pid is not None:
            forget_worker(process.pid, self._folder / "metrics")

    def _end(self) -> None:
        self._tell(signal.SIGTERM)
        while self._begun:
            if self._in_haste:
                self._tell(HURRY)
            for sentinel in wait([process.sentinel for process in self._begun], timeout=_POLL_SECONDS):
                ended = next(process for process in self._begun if process.sentinel == sentinel)
                ended.join()
                del self._begun[ended]

    def _tell(self, number: int) -> None:
        for process in self._begun:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, number)


def _work(settings: Settings, listener: socket.socket, folder: Path) -> None:
    """Be a worker."""
    obey_parent(orphaned=lambda: os.kill(os.getpid(), signal.SIGTERM))  # streams in flight are finished even then
    set_up(settings)
    from emovox.serving.server import make_server

    server = make_server(settings, load(settings.model), jobs=folder / "jobs")
    signal.signal(HURRY, server.handle_exit)
    server.run(sockets=[listener])
    server.leave()
