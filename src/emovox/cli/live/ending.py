"""Signals that end listening: asked once, what was heard is finished first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from emovox.schema.processes import ending_signals


class Ending:
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

    def __enter__(self) -> Ending:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._asked) for number in ending_signals()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _asked(self, number: int, _: FrameType | None) -> None:
        if self.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is None:
            self.number = number
            self._stop()
