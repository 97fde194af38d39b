"""`emovox batch`: from a folder of recordings to one Parquet file, on all cores or on a cluster."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emovox.cli.choices import channel_choice, reading_choice
from emovox.cli.console import (
    Bar,
    ChannelsOption,
    CoverageOption,
    HeadOption,
    InputFiles,
    ModelOption,
    RawOption,
    ResumeOption,
    SourceOption,
    SpeakerOption,
    ThresholdOption,
    TrackOption,
    clock,
    columns,
    complain,
    say,
)
from emovox.cli.progress import LINE_SECONDS
from emovox.runtime.registry import named_with_head
from emovox.schema.extras import require
from emovox.schema.text import MOST_NAMED, printable, printable_name

if TYPE_CHECKING:
    from emovox.batch.engine import Engine
    from emovox.batch.job import Answer, Item
    from emovox.batch.run import Archive
    from emovox.batch.tally import Tally

SUFFIX = ".parquet"


class ArchiveAdapt(StrEnum):
    """What the scores are adapted to."""

    OFF = "off"
    RECORDING = "recording"
    CHANNEL = "channel"
    FOLDER = "folder"
    COLUMN = "column"


class EngineName(StrEnum):
    """Where the workers run: on this machine, or on a Ray cluster."""

    LOCAL = "local"
    RAY = "ray"


def batch(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Directory of recordings; its subdirectories are included.")
    ],
    output: Annotated[Path, typer.Option(help="The .parquet file to write.")],
    model: ModelOption = None,
    head: HeadOption = None,
    channels: ChannelsOption = "mix",
    threshold: ThresholdOption = None,
    coverage: CoverageOption = None,
    vad: Annotated[
        bool, typer.Option("--vad/--no-vad", help="Analyse the speech that VAD finds, or the whole recording.")
    ] = True,
    track: TrackOption = None,
    raw: RawOption = None,
    speaker: SpeakerOption = None,
    source: SourceOption = None,
    adapt: Annotated[
        ArchiveAdapt,
        typer.Option(
            help="Adapt the scores to the voice of each recording, of each channel, of all recordings of a folder, or "
            "of all with one value in a column of a table. The plain scores stay beside them."
        ),
    ] = ArchiveAdapt.OFF,
    table: Annotated[
        Path | None, typer.Option(help="For --adapt column: a CSV table with a column file and the one of --column.")
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="<name>", help="For --adapt column: the column that tells the voices apart.")
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="Run on this machine, or on Ray.")] = EngineName.LOCAL,
    address: Annotated[
        str | None, typer.Option(help="HOST:PORT of a Ray cluster. Default: Ray is started on this machine.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of processes. Default: one per core.")] = None,
    resume: ResumeOption = False,
) -> None:
    """Predict the emotions in an archive, on all cores or on a cluster.

    The output has one row per segment; docs/batch.md describes the columns. After a stop of any kind, --resume
    continues the work. A recording that cannot be analysed becomes a row with an error, the others are still analysed,
    and the exit status is 1.
    """
    if output.suffix.lower() != SUFFIX:
        raise typer.BadParameter(f"got '{output}', expected a name that ends in {SUFFIX}", param_hint="--output")
    if address is not None and engine is not EngineName.RAY:
        raise typer.BadParameter("it goes with --engine ray", param_hint="--address")
    _check_adapt(adapt, speaker, table, column)
    require("pyarrow", need="emovox batch", extra="batch")
    choice, reading = channel_choice(channels), reading_choice(track, raw)
    workforce = _engine(engine, address=address, workers=workers)
    from emovox.batch.run import open_archive  # here, since pyarrow takes half a second
    from emovox.batch.voices import Adapting

    named = named_with_head(model, head)
    with open_archive(
        directory,
        output,
        model=named,
        channels=choice,
        threshold=threshold,
        coverage=coverage,
        vad=vad,
        track=track,
        raw=reading.raw,
        adapting=Adapting(adapt.value, speaker, source, column, table),
        resume=resume,
    ) as archive:
        if output.exists():
            InputFiles([*archive.paths(), *([] if table is None else [table])]).spare(output)
        with _resume_hint(archive), Bar(sum(item.size for item in archive.waiting) or 1) as bar:
            progress = _Progress(archive, bar)
            tally = archive.run(workforce, progress)
    say(_summary(output, tally, progress))
    if tally.failed:
        complain(f"{tally.failed} of {tally.files} could not be analysed: their rows have an error_code")
        raise typer.Exit(1)


def _check_adapt(adapt: ArchiveAdapt, speaker: str | None, table: Path | None, column: str | None) -> None:
    if adapt is not ArchiveAdapt.OFF and speaker is not None:
        raise typer.BadParameter("it goes without --speaker, whose voice is known already", param_hint="--adapt")
    if adapt is ArchiveAdapt.COLUMN and (table is None or column is None):
        raise typer.BadParameter("column needs --table TABLE.csv and --column NAME", param_hint="--adapt")
    for name, given in (("--table", table), ("--column", column)):
        if adapt is not ArchiveAdapt.COLUMN and given is not None:
            raise typer.BadParameter("it goes with --adapt column", param_hint=name)


class _Progress:
    """Shows how far the work is: a bar on terminals, elsewhere a line every 30 s. It also prints the first errors."""

    def __init__(self, archive: Archive, bar: Bar) -> None:
        self._bar, self._files, self._total = bar, archive.files, sum(item.size for item in archive.waiting) or 1
        self._done, self._bytes, self._errors, self._named = archive.done.files, 0, archive.done.failed, 0
        self._start = self._last_line = time.monotonic()
        self._in_place = sys.stderr.isatty()
        self.seconds = 0.0
        if self._done:
            complain(f"{self._done} of {self._files} files were finished by an earlier run")

    @property
    def speed(self) -> float:
        """Seconds of audio analysed per second."""
        return self.seconds / max(time.monotonic() - self._start, 1e-9)

    def __call__(self, item: Item, answer: Answer) -> None:
        """Count a recording."""
        self._done, self._bytes = self._done + 1, self._bytes + item.size
        if answer.result is not None:
            self.seconds += answer.result.duration
        if answer.error is not None:
            self._print_error(item, answer.error.message)
        text = f"{self._done:,} of {self._files:,} files, {self.speed:,.0f} × real time, {_counted(self._errors)}"
        self._bar.update(self._bytes, text)
        now = time.monotonic()
        if not self._in_place and now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            left = (now - self._start) * (self._total - self._bytes) / max(self._bytes, 1)
            complain(f"  {text}, {clock(left)} left")

    def _print_error(self, item: Item, message: str) -> None:
        self._errors, self._named = self._errors + 1, self._named + 1
        if self._named <= MOST_NAMED:
            self._bar.clear()
            rest = " (later errors are only in the output)" if self._named == MOST_NAMED else ""
            complain(f"error: {printable_name(item.name)}: {message}{rest}")


def _engine(name: EngineName, *, address: str | None, workers: int | None) -> Engine:
    if name is EngineName.LOCAL:
        from emovox.batch.local import LocalEngine

        return LocalEngine(workers)
    require("ray", need="emovox batch --engine ray", extra="ray")
    from emovox.batch.cluster import RayEngine  # here, since it takes two seconds, most of them for Ray Data

    return RayEngine(address, workers)


@contextmanager
def _resume_hint(archive: Archive) -> Iterator[None]:
    """Print how to continue when anything stops the work."""
    try:
        yield
    except BaseException:
        if archive.kept:
            complain(f"stopped: {archive.kept} of {archive.files} files are kept; --resume continues")
        raise


def _counted(errors: int) -> str:
    return f"{errors:,} error{'' if errors == 1 else 's'}"


def _summary(output: Path, tally: Tally, progress: _Progress) -> str:
    speech = sum(tally.labels.values())
    errors = ", ".join(f"{code} {count:,}" for code, count in sorted(tally.errors.items())) or "none"
    rows = [
        ["files", f"{tally.files:,}"],
        ["errors", errors],
        ["audio", f"{tally.seconds / 3600:,.2f} h"],
        ["speech", f"{speech / 3600:,.2f} h in {tally.segments:,} segments"],
        ["speed", f"{progress.speed:,.0f} × real time"],
    ]
    ranked = sorted(tally.labels.items(), key=lambda item: -item[1])
    rows += [[f"  {label}", f"{seconds / speech:4.0%}"] for label, seconds in ranked]
    return f"{printable(str(output))}\n{columns(rows)}".rstrip("\n")
