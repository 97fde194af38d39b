"""Small archives for tests, engines that need no processes, and workers that die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import soundfile

from emovox.batch.job import Answer, Item, Job, RecordingAnalyzer
from emovox.batch.run import Archive, open_archive
from emovox.batch.tally import Tally
from emovox.testing import RATE, speech, write_toy

Rows = list[dict[str, Any]]


def write_recording(path: Path, *, f0: float = 120.0, seconds: float = 1.2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:  # soundfile cannot open a name that is not UTF-8
        soundfile.write(file, speech(f0, seconds=seconds), RATE, format="WAV")
    return path


def write_archive(folder: Path, *, files: int = 8) -> Path:
    """A model toy.onnx in `folder`, and recordings of different pitch below its folder `calls`."""
    write_toy(folder)
    for number in range(files):
        write_recording(folder / "calls" / f"{number % 3}" / f"{number:02d}.wav", f0=100.0 + 40 * number)
    return folder / "calls"


def write_bad(calls: Path) -> None:
    """What archives also hold: five recordings that are errors, and one that is silent."""
    (calls / "empty.wav").touch()
    (calls / "text.wav").write_text("This is no audio.")
    soundfile.write(calls / "nan.wav", np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT")
    (calls / "gone.wav").symlink_to("nowhere.wav")
    (calls / "half.flac").write_bytes(b"fLaC" + bytes(100))
    soundfile.write(calls / "silent.wav", np.zeros(RATE, np.float32), RATE)


class Here:
    """Works in this process, and keeps the items that it was given."""

    retries = 1

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def run(self, job: Job, items: Sequence[Item], *, alone: bool) -> Generator[Answer]:  # noqa: ARG002
        analyse = RecordingAnalyzer(job)
        for item in items:
            self.seen.append(item.name)
            yield analyse(item)


def opened(
    calls: Path, output: Path, *, resume: bool = False, model: str = "toy", **settings: Any
) -> AbstractContextManager[Archive]:
    return open_archive(calls, output, model=str(calls.parent / f"{model}.onnx"), resume=resume, **settings)


def analysed(calls: Path, output: Path, **options: Any) -> Tally:
    with opened(calls, output, **options) as archive:
        return archive.run(Here(), unobserved)


def stopped_after(count: int, calls: Path, output: Path, **options: Any) -> None:
    """Begin, and stop by an interrupt when `count` recordings are answered."""

    def observe(item: Item, answer: Answer) -> None:
        nonlocal count
        count -= 1
        if not count:
            raise KeyboardInterrupt

    try:
        with opened(calls, output, **options) as archive:
            archive.run(Here(), observe)
    except KeyboardInterrupt:
        return
    raise AssertionError("was not stopped")


def unobserved(item: Item, answer: Answer) -> None:
    """Look away."""


def rows_of(output: Path) -> Rows:
    rows: Rows = pq.read_table(output).to_pylist()
    return rows


def files_of(output: Path) -> list[str]:
    """Names in the order of the rows, once where equal ones stand together."""
    names = [row["file"] for row in rows_of(output)]
    return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]


class Dying(RecordingAnalyzer):
    """Dies on recordings that are called so: "kill" each time, "once" the first time; "raise" has a bug."""

    def __call__(self, item: Item) -> Answer:
        path = os.path.join(self.directory, os.fsdecode(item.name))
        first = b"once" in item.name and not os.path.exists(f"{path}.seen")
        if first:
            Path(f"{path}.seen").touch()
        if first or b"kill" in item.name:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"raise" in item.name:
            raise ZeroDivisionError
        return super().__call__(item)


class Slow(RecordingAnalyzer):
    """Takes its time, so that there is a middle of the work."""

    def __call__(self, item: Item) -> Answer:
        time.sleep(0.05)
        return super().__call__(item)


class Stillborn(RecordingAnalyzer):
    """Dies before it is ready."""

    def __init__(self, job: Job) -> None:  # noqa: ARG002
        os._exit(3)


def same_rows(first: Path, second: Path) -> bool:
    return msgspec.msgpack.encode(rows_of(first)) == msgspec.msgpack.encode(rows_of(second))
