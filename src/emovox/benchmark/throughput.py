"""How fast `emovox batch` goes through an archive: decoding, voice activity, graph, Parquet, start and all."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from emovox.audio.types import Samples
from emovox.benchmark.machine import THREAD_VARIABLES, Machine, describe_machine
from emovox.benchmark.turns import MATRIX, TimeSpread, in_turn
from emovox.features.speech_like import talk_like
from emovox.runtime.registry import shipped
from emovox.schema.errors import ConfigError, EmovoxError
from emovox.schema.extras import require

RATE = 16000
FILE_SECONDS = 14.0
TALK, PAUSE = 3.0, 1.5
"""Seconds of each in turn: two thirds of the archive are speech."""

HISS = 1e-3


class ThroughputRow(msgspec.Struct, frozen=True):
    """One model, with or without voice activity.

    Attributes:
        model: its name.
        vad: whether speech was looked for; else everything was taken for speech.
        real_time: seconds of audio a second, by the clock.
        a_core: seconds of audio a second of processor time, of the command and its processes together: the steadier
            figure where others use the machine.
    """

    model: str
    vad: bool
    real_time: float
    a_core: float


class ThroughputTable(msgspec.Struct, frozen=True):
    """What `emovox benchmark throughput` tells, of an archive of `hours` in files of `file_seconds`."""

    hours: float
    file_seconds: float
    workers: int
    rows: tuple[ThroughputRow, ...]
    matrix_product: TimeSpread
    machine: Machine


def measure_throughput(names: Sequence[str] = (), *, hours: float = 0.5, workers: int = 2) -> ThroughputTable:
    """Run `emovox batch` over generated recordings, 16-bit wav at 16 kHz, with and without voice activity.

    Args:
        names: models, or paths of theirs; all that are shipped for none.
        hours: length of the archive, at least 0.01.
        workers: processes, >= 1.

    Raises:
        ConfigError: `hours` or `workers` out of range, or a system that counts no processor time of other processes.
        MissingExtraError: pyarrow is not installed.
        EmovoxError: the command failed.
    """
    if not 0.01 <= hours <= 1000 or workers < 1:
        raise ConfigError(f"got {hours} hours, {workers} workers; expected 0.01 to 1000 hours and 1 or more workers")
    require("pyarrow", need="emovox benchmark throughput", extra="batch")
    _processor_seconds()  # an error before the work, not after it
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        seconds = write_archive(archive, hours=hours)
        rows = tuple(
            _row(archive, name, seconds=seconds, vad=vad, workers=workers)
            for name in names or shipped()
            for vad in (True, False)
        )
    return ThroughputTable(
        hours=seconds / 3600,
        file_seconds=FILE_SECONDS,
        workers=workers,
        rows=rows,
        matrix_product=in_turn({}, repeats=51)[MATRIX],
        machine=describe_machine(["numpy", "onnxruntime", "pyarrow"]),
    )


def write_archive(folder: Path, *, hours: float) -> float:
    """Write files of talk with pauses, each begun at another place, and return how many seconds they are."""
    folder.mkdir()
    circle = _talk_with_pauses(4 * FILE_SECONDS)
    length, count = round(FILE_SECONDS * RATE), max(1, round(hours * 3600 / FILE_SECONDS))
    for number in range(count):
        start = number * 997 % (circle.size - length)
        soundfile.write(folder / f"{number:06d}.wav", circle[start : start + length], RATE)
    return count * FILE_SECONDS


def _talk_with_pauses(seconds: float) -> Samples:
    talk = talk_like(seconds, sample_rate=RATE)
    hiss = HISS * np.random.default_rng(0).standard_normal(talk.size)
    place = np.arange(talk.size) / RATE % (TALK + PAUSE)
    return np.where(place < TALK, talk, hiss).astype(np.float32)


def _row(archive: Path, model: str, *, seconds: float, vad: bool, workers: int) -> ThroughputRow:
    output = archive.with_name("out.parquet")
    command = [sys.executable, "-m", "emovox", "batch", str(archive), "--output", str(output), "--model", model]
    command += ["--workers", str(workers), *(() if vad else ("--no-vad",))]
    before, begun = _processor_seconds(), time.perf_counter()
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, "1")
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    taken, processor = time.perf_counter() - begun, _processor_seconds() - before
    if done.returncode:
        raise EmovoxError(f"{' '.join(command[2:])} exited with {done.returncode}: {done.stderr.decode()[-500:]}")
    return ThroughputRow(model, vad, seconds / taken, seconds / processor)


def _processor_seconds() -> float:
    """Of all processes that this one has started and that have ended."""
    try:
        import resource
    except ImportError as error:
        raise ConfigError(
            f"emovox benchmark throughput: got {sys.platform}, which does not count the processor time of processes "
            "that have ended; expected Linux or macOS"
        ) from error
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
