"""What a run tells while it learns: a CSV, TensorBoard events, sentences; and where the time of a step goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, time
from types import TracebackType
from typing import NamedTuple

from emovox.schema.errors import ConfigError
from emovox.schema.extras import require
from emovox.schema.files import write_whole

CSV, EVENTS = "log.csv", "tensorboard"

MOST_EVENTS = 200
"""Points enough for a curve on the screen; every one wakes another thread, which a small head's step would feel."""

REPORT_SECONDS = 0.5
"""The least time between two sentences."""

Report = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and a sentence."""


class Row(NamedTuple):
    """A step: its number from 1, loss, rate of the last layer, UAR in [0, 1] if measured, seconds since the start."""

    step: int
    loss: float
    rate: float
    uar: float | None
    seconds: float

    def csv(self) -> str:
        """Render as a line; the loss so that it can be read back exactly."""
        uar = "" if self.uar is None else repr(self.uar)
        return f"{self.step},{self.loss!r},{self.rate!r},{uar},{self.seconds:.3f}\n"


class Log:
    """Writes every row to the CSV and some to TensorBoard.

    Args:
        folder: gets `log.csv` and `tensorboard/`.
        history: rows up to where a run goes on; whatever a killed run wrote beyond them is taken back.
        steps: of the whole run.

    Raises:
        ConfigError: a file cannot be written.
        MissingExtraError: tensorboard is not installed.
    """

    def __init__(self, folder: Path, history: Sequence[Row], *, steps: int) -> None:
        require("tensorboard", need="the log of a training", extra="train")
        from torch.utils.tensorboard import SummaryWriter

        self._every = max(1, steps // MOST_EVENTS)
        self._began = time() - (history[-1].seconds if history else 0.0)
        self._path = folder / CSV
        text = ",".join(Row._fields) + "\n" + "".join(row.csv() for row in history)
        write_whole(self._path, text.encode(), make_folder=True)
        try:
            self._file = self._path.open("a", encoding="utf-8")
            for old in (folder / EVENTS).glob("events.out.tfevents.*"):
                old.unlink()  # a killed run has lost what it had not written yet: all is written again
            self._events = SummaryWriter(folder / EVENTS)
            for row in history:
                self._write_events(row)
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._events.close()

    def write(self, row: Row) -> None:
        """Add a row.

        Raises:
            ConfigError: the disk is full.
        """
        try:
            self._file.write(row.csv())
            self._write_events(row)
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def _write_events(self, row: Row) -> None:
        if row.step % self._every and row.uar is None:
            return
        self._file.flush()
        for name, value in (("loss", row.loss), ("rate", row.rate), ("uar", row.uar)):
            if value is not None:  # the time is that of learning, without the pauses between runs
                self._events.add_scalar(name, value, row.step, walltime=self._began + row.seconds)


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path}: cannot be written ({error.strerror or error}); expected room on the disk; then resume")


class Speaker:
    """Says how far a run is, now and then.

    Args:
        report: who listens, if anybody.
        steps: of the whole run.
        done: steps that were done before, which say nothing about the speed of now.
    """

    def __init__(self, report: Report | None, *, steps: int, done: int) -> None:
        self._report, self._steps, self._before = report, steps, done
        self._start = self._last = perf_counter()
        self._uar: float | None = None

    def say(self, row: Row) -> None:
        """Report a step: if UAR was measured, at the end, or if some time has passed since the last sentence."""
        now = perf_counter()
        self._uar = self._uar if row.uar is None else row.uar
        wanted = row.uar is not None or row.step == self._steps or now - self._last >= REPORT_SECONDS
        if self._report is None or not wanted:
            return
        self._last = now
        left = (now - self._start) / (row.step - self._before) * (self._steps - row.step)
        uar = "" if self._uar is None else f"UAR {100 * self._uar:.1f}, "
        self._report(row.step, self._steps, f"loss {row.loss:.3f}, {uar}{in_words(left)} left")


def in_words(seconds: float) -> str:
    """Round a time to what one wants to know.

    >>> in_words(4.2), in_words(59.6), in_words(3599), in_words(7000)
    ('5 s', '1 min', '60 min', '1.9 h')
    """
    if seconds <= 59:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds <= 3600 else f"{seconds / 3600:.1f} h"


class Stopwatch:
    """Sums up seconds by what they were spent on; every moment counts for the next `lap`.

    On a GPU, work that was only queued counts for the lap in which it is waited for.

    Args:
        seconds: sums so far, added to in place.
    """

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self._last = perf_counter()

    def lap(self, part: str) -> None:
        """Add the time since the last lap to a part."""
        now = perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now

    def total(self) -> float:
        """Sum of all parts."""
        return sum(self.seconds.values())
