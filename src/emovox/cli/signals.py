"""Signals that end a command at any moment, and signals that stop listening.

Python drops what a signal handler raises if the signal arrives during a destructor, a callback of a weak reference or C
code that ignores errors. Imports are full of these: in the 20 ms of imports of `emovox predict`, one signal in fifty
was lost. So the handler raises again until the exception unwinds the stack.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from emovox.schema.processes import ending_signals, is_forced_exit

_AGAIN_SECONDS = 0.2
"""Seconds until the exception is raised again."""

_STUCK_SECONDS = 2.0
"""Seconds after which a handler that has not run is given up; a window of `accurate` takes 0.03 s."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise `SystemExit` at a termination or a hang-up and `KeyboardInterrupt` at an interrupt, during the block.

    A signal that the process was started to ignore (`nohup`, a background job) stays ignored. Outside the main thread
    nothing changes, since Python handles signals in the main thread only.

    Raises:
        SystemExit: with status 128 + the signal's number.
        KeyboardInterrupt: at an interrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ending = _Ending()
    before: dict[int, Any] = {number: signal.signal(number, ending.begin) for number in ending_signals()}
    watched = _exit_if_stuck(ending)
    if hasattr(signal, "SIGALRM"):
        before[signal.SIGALRM] = signal.getsignal(signal.SIGALRM)  # only `begin` replaces this handler
    sys.unraisablehook = ending.lost
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = ending.hook
        signal.set_wakeup_fd(-1)
        watched.close()


def _exit_if_stuck(ending: _Ending) -> socket.socket:
    """Exit `_STUCK_SECONDS` after a signal that Python cannot handle; return the socket that ends the watch.

    Python runs handlers between its own instructions. While a library computes (a model with an endless loop), none
    runs. The operating system still writes the signal's number to the socket.
    """
    watch, written = socket.socketpair()
    written.setblocking(False)
    signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)

    def wait() -> None:
        """Wait for the first signal, then for its handler."""
        with watch:
            while number := watch.recv(1):
                if signal.getsignal(number[0]) == ending.begin and not ending.begun.wait(_STUCK_SECONDS):
                    os._exit(128 + number[0])

    threading.Thread(target=wait, name="emovox-signals", daemon=True).start()
    return written


class _Ending:
    """The handler that raises at a signal, and again every `_AGAIN_SECONDS` until the exception unwinds the stack."""

    def __init__(self) -> None:
        self.hook = sys.unraisablehook
        self._error: BaseException | None = None
        self.begun = threading.Event()

    def begin(self, number: int, _: FrameType | None) -> None:
        """Handle the signal that ends the command. A second signal that forces the exit also interrupts cleaning up."""
        self.begun.set()
        if self._error is not None and not is_forced_exit(number, before=(signal.SIGTERM,)):
            return
        self._error = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
        if hasattr(signal, "setitimer"):  # not on Windows, which ends processes without a signal
            signal.signal(signal.SIGALRM, self._insist)
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS, _AGAIN_SECONDS)
        raise self._error

    def lost(self, what: sys.UnraisableHookArgs) -> None:
        """Report what Python dropped, but for this exception: it is raised again."""
        if self._error is None or what.exc_value is not self._error:
            self.hook(what)

    def _insist(self, _: int, __: FrameType | None) -> None:
        # code that cleans up (`finally`, `__exit__`) handles the exception or a generator's end: do not interrupt it
        error = sys.exc_info()[1]
        while error is not None:
            if error is self._error or isinstance(error, GeneratorExit):
                return
            error = error.__context__
        if self._error is not None:
            raise self._error


class StopOnSignal:
    """A context manager: the first interrupt, termination or hang-up calls `stop`, a second interrupt raises.

    Args:
        stop: called once, from the main thread.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._before: dict[signal.Signals, Any] = {}
        self.number: int | None = None
        """Number of the first signal; None before it."""

    @property
    def status(self) -> int:
        """The exit status: 0 after an interrupt, which is how a user ends listening, else 128 + the signal's number."""
        return 0 if self.number in (None, signal.SIGINT) else 128 + (self.number or 0)

    def __enter__(self) -> StopOnSignal:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in ending_signals()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is None:
            self.number = number
            self._stop()
