"""Signals that end a command, however awkward the moment at which they come; and those that end listening.

What a signal's handler raises is lost when the signal comes during a destructor, a weak reference's callback or C code
that drops errors. Imports are full of those: in their 20 ms of `emovox predict`, one signal in fifty was lost. So the
handler goes on until what it raised unwinds the stack.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from emovox.schema.processes import ending_signals, is_forced_exit

_AGAIN_SECONDS = 0.2


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """While the block runs, a termination or a hang-up raises `SystemExit`, an interrupt `KeyboardInterrupt`.

    A signal that the process was started to ignore (`nohup`, a background job) stays ignored. Outside the main thread,
    where Python handles no signals, nothing is changed.

    Raises:
        SystemExit: with status 128 + the signal's number.
        KeyboardInterrupt: at an interrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ending = _Ending()
    before: dict[int, Any] = {number: signal.signal(number, ending.begin) for number in ending_signals()}
    if hasattr(signal, "SIGALRM"):
        before[signal.SIGALRM] = signal.getsignal(signal.SIGALRM)  # `begin` takes it: until then it is not ours
    sys.unraisablehook = ending.lost
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = ending.hook


class _Ending:
    """Raise an exception at a signal, and again every `_AGAIN_SECONDS` unless it is on its way up the stack."""

    def __init__(self) -> None:
        self.hook = sys.unraisablehook
        self._error: BaseException | None = None

    def begin(self, number: int, _: FrameType | None) -> None:
        """Handle the signal that ends the command; a second one that forces the exit breaks off what cleans up."""
        if self._error is not None and not is_forced_exit(number, before=(signal.SIGTERM,)):
            return
        self._error = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
        if hasattr(signal, "setitimer"):  # not on Windows, where a process is ended without being asked
            signal.signal(signal.SIGALRM, self._insist)
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS, _AGAIN_SECONDS)
        raise self._error

    def lost(self, what: sys.UnraisableHookArgs) -> None:
        """Say nothing of the exception where Python had to drop it: it comes again."""
        if self._error is None or what.exc_value is not self._error:
            self.hook(what)

    def _insist(self, _: int, __: FrameType | None) -> None:
        # code that cleans up (`finally`, `__exit__`) has the exception in hand, or a generator's end, and is left alone
        error = sys.exc_info()[1]
        while error is not None:
            if error is self._error or isinstance(error, GeneratorExit):
                return
            error = error.__context__
        if self._error is not None:
            raise self._error


class StopOnSignal:
    """While the block runs, an interrupt, a termination or a hang-up calls `stop`; a second interrupt breaks off.

    Args:
        stop: called once, from the main thread.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._before: dict[signal.Signals, Any] = {}
        self.number: int | None = None
        """The signal that came first."""

    @property
    def status(self) -> int:
        """The exit status that is due: an interrupt is how one ends listening, and no failure."""
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
