"""The log of a training: a CSV, TensorBoard events, progress, curves, and the time spent on each part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, time
from types import TracebackType
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from emovox.evaluation.report.colours import EMOTION_COLOURS
from emovox.evaluation.report.style import FAINT, new_figure, percent_axis, plain, set_title
from emovox.schema.errors import ConfigError
from emovox.schema.extras import require
from emovox.schema.files import write_whole
from emovox.schema.text import in_words

CSV, EVENTS = "log.csv", "tensorboard"

MOST_EVENTS = 200
"""Most points for TensorBoard: enough for a curve on a screen. Each one wakes a thread and costs time."""

SMOOTHING = 50
"""The curve of the loss is a moving mean over this fraction of all steps: a fiftieth."""

_LOSS, _UAR = EMOTION_COLOURS["sad"], EMOTION_COLOURS["angry"]

REPORT_SECONDS = 0.5
"""Least time between two progress messages, in seconds."""

Report = Callable[[int, int, str], None]
"""Called with the steps done, all steps, and a message."""


class StepRecord(NamedTuple):
    """A step, from 1: loss, learning rate of the last layer, UAR in [0, 1] if measured, seconds since the start."""

    step: int
    loss: float
    learning_rate: float
    uar: float | None
    seconds: float

    def csv(self) -> str:
        """Return a line of the CSV; the loss is read back exactly."""
        uar = "" if self.uar is None else repr(self.uar)
        return f"{self.step},{self.loss!r},{self.learning_rate!r},{uar},{self.seconds:.3f}\n"


class Log:
    """Writes every step to the CSV, and some to TensorBoard.

    Args:
        folder: gets `log.csv` and `tensorboard/`.
        history: steps up to where a run continues; later rows of a killed run are removed.
        steps: number of steps of the whole run.

    Raises:
        ConfigError: a file cannot be written.
        MissingExtraError: tensorboard is not installed.
    """

    def __init__(self, folder: Path, history: Sequence[StepRecord], *, steps: int) -> None:
        require("tensorboard", need="the log of a training", extra="train")
        from torch.utils.tensorboard import SummaryWriter

        self._every = max(1, steps // MOST_EVENTS)
        self._began = time() - (history[-1].seconds if history else 0.0)
        self._path = folder / CSV
        text = ",".join(StepRecord._fields) + "\n" + "".join(row.csv() for row in history)
        write_whole(self._path, text.encode(), make_folder=True)
        try:
            self._file = self._path.open("a", encoding="utf-8")
            for old in (folder / EVENTS).glob("events.out.tfevents.*"):
                old.unlink()  # a killed run loses events that were not written yet, so all are written again
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

    def write(self, row: StepRecord) -> None:
        """Write a step.

        Raises:
            ConfigError: the disk is full.
        """
        try:
            self._file.write(row.csv())
            self._write_events(row)
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def _write_events(self, row: StepRecord) -> None:
        if row.step % self._every and row.uar is None:
            return
        self._file.flush()
        for name, value in (("loss", row.loss), ("learning_rate", row.learning_rate), ("uar", row.uar)):
            if value is not None:  # the time of training, without the pauses between runs
                self._events.add_scalar(name, value, row.step, walltime=self._began + row.seconds)


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path}: cannot be written ({error.strerror or error}); expected room on the disk; then resume")


class ProgressPrinter:
    """Reports the progress of a run, at most every `REPORT_SECONDS`.

    Args:
        report: called with each message; None: no messages.
        steps: number of steps of the whole run.
        done: steps of earlier runs; they are left out when the remaining time is estimated.
    """

    def __init__(self, report: Report | None, *, steps: int, done: int) -> None:
        self._report, self._steps, self._before = report, steps, done
        self._start = self._last = perf_counter()
        self._uar: float | None = None

    def say(self, row: StepRecord) -> None:
        """Report a step if UAR was measured, if it is the last, or if the last message is `REPORT_SECONDS` old."""
        now = perf_counter()
        self._uar = self._uar if row.uar is None else row.uar
        wanted = row.uar is not None or row.step == self._steps or now - self._last >= REPORT_SECONDS
        if self._report is None or not wanted:
            return
        self._last = now
        left = (now - self._start) / (row.step - self._before) * (self._steps - row.step)
        uar = "" if self._uar is None else f"UAR {100 * self._uar:.1f}, "
        self._report(row.step, self._steps, f"loss {row.loss:.3f}, {uar}{in_words(left)} left")


class Stopwatch:
    """Sums up the seconds spent on each part; time counts for the part that the next `lap` names.

    On a GPU, queued work counts for the lap that waits for it.

    Args:
        seconds: sums so far by part; changed in place.
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
        """Return the sum of all parts, in seconds."""
        return sum(self.seconds.values())


def curves_figure(history: Sequence[StepRecord], *, title: str) -> Figure:
    """Draw the loss over the steps and, where it was measured, the UAR of held-out training speakers below.

    Args:
        history: at least one step.
        title: above the picture.
    """
    measured = [row for row in history if row.uar is not None]
    figure = new_figure(6.4, 5.2 if measured else 3.2)
    axes = figure.subplots(2 if measured else 1, 1, sharex=True, squeeze=False)[:, 0]
    steps, losses = np.array([row.step for row in history]), np.array([row.loss for row in history])
    axes[0].plot(steps, losses, ".", color=FAINT, markersize=2, alpha=0.5)
    width = max(1, len(steps) // SMOOTHING)
    ends = np.arange(width, len(steps) + 1)
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    axes[0].plot(steps[ends - 1] - (width - 1) / 2, (sums[ends] - sums[ends - width]) / width, color=_LOSS)
    axes[0].set_ylabel("loss")
    if measured:
        uars = [row.uar or 0.0 for row in measured]
        best = int(np.argmax(uars))
        axes[1].plot([row.step for row in measured], uars, ".-", color=_UAR)
        axes[1].plot([measured[best].step], [uars[best]], "o", color=_UAR)
        axes[1].annotate(
            f"{100 * uars[best]:.1f}",
            (measured[best].step, uars[best]),
            (0, 6),
            textcoords="offset points",
            ha="center",
        )
        axes[1].margins(y=0.2)
        axes[1].set_ylabel("UAR in %")
        percent_axis(axes[1], "y")
    for one in axes:
        plain(one, grid="y")
    axes[-1].set_xlabel("step")
    set_title(figure, title)
    return figure
