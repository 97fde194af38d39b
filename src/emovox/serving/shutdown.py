"""Graceful shutdown: the first signal finishes what is in flight, a second one forces the exit."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from multiprocessing import parent_process
from types import FrameType
from typing import Any

from emovox.schema.processes import ending_signals, is_forced_exit, obey_parent


class Shutdown:
    """The handler of ending signals. It replaces that of uvicorn, which would cut every stream at once.

    Create it before the server starts: it then knows which signals the process ignores from its start.

    Attributes:
        stop: stops the server; None calls the handler of SIGTERM that the server has set.

    Args:
        drain: finishes what is in flight; a forced exit cancels it.
        cancel: ends what is left; its argument is True at a forced exit.
    """

    stop: Callable[[], object] | None = None

    def __init__(self, *, drain: Callable[[], Awaitable[None]], cancel: Callable[[bool], None]) -> None:
        self._drain, self._cancel = drain, cancel
        self._signals = ending_signals()
        self._taken: list[int] = []
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """Handle signals while the block runs, in the event loop; outside the main thread only `take` works."""
        self._loop = asyncio.get_running_loop()
        before = self._install() if threading.current_thread() is threading.main_thread() else {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def take(self, number: int = signal.SIGTERM, _: FrameType | None = None) -> None:
        """Handle a signal, or begin the shutdown as SIGTERM does; any thread may call it."""
        forced = is_forced_exit(number, before=self._taken)
        self._taken.append(number)
        self._loop.call_soon_threadsafe(self._end, forced)

    def _install(self) -> dict[int, Any]:
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}
        taken = set(self._signals)
        if parent_process() is not None:  # the parent handles a hang-up: it restarts its workers one by one
            obey_parent(orphaned=self.take)
            taken = {signal.SIGINT, signal.SIGTERM}
        for number in numbers:
            signal.signal(number, self.take if number in taken else signal.SIG_IGN)
        if self.stop is None:
            server: Any = before[signal.SIGTERM]
            self.stop = lambda: server(signal.SIGTERM, None)
        return before

    def _end(self, forced: bool) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._finish())
        if forced:
            self._cancel(True)
            self._task.cancel()

    async def _finish(self) -> None:
        try:
            await self._drain()
        finally:
            self._cancel(False)
            if self.stop is not None:
                self.stop()
