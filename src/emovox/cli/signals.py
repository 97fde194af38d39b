"""Signals that end a command, however awkward the moment at which they come.

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
from types import FrameType
from typing import NoReturn

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
    insistent = _Insistent()
    wanted = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers: dict[int, Callable[[int, FrameType | None], None]]
    handlers = {number: insistent.raise_first for number in wanted if signal.getsignal(number) != signal.SIG_IGN}
    if hasattr(signal, "setitimer"):  # not on Windows, where a process is ended without being asked
        handlers[signal.SIGALRM] = insistent.raise_again
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


class _Insistent:
    """Raise an exception at a signal, and again every `_AGAIN_SECONDS` unless it is on its way up the stack."""

    def __init__(self) -> None:
        self._error: BaseException = SystemExit()

    def raise_first(self, number: int, _: FrameType | None) -> NoReturn:
        """Handle the signal that ends the command."""
        self._error = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS, _AGAIN_SECONDS)
        raise self._error

    def raise_again(self, _: int, __: FrameType | None) -> None:
        """Handle the timer: code that cleans up (`finally`, `__exit__`) has the exception in hand and is left alone."""
        error = sys.exc_info()[1]
        while error is not None:
            if error is self._error:
                return
            error = error.__context__
        raise self._error
