"""The speed of `emovox batch` on an archive, including its start, decoding, VAD, the model and Parquet."""

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
"""Sample rate of the archive in Hz."""

FILE_SECONDS = 14.0
"""Length of each file of the archive."""

TALK, PAUSE = 3.0, 1.5
"""Seconds of speech and of pause in turn: two thirds of the archive are speech."""

NOISE = 1e-3
"""Root mean square of the noise in the pauses; full scale is 1."""


class ThroughputRow(msgspec.Struct, frozen=True):
    """The speed of one model, with or without VAD.

    Attributes:
        model: name of the model.
        vad: whether speech was detected; otherwise all audio counted as speech.
        real_time: seconds of audio per second of wall time.
        a_core: seconds of audio per second of processor time of the command and its processes. It is the steadier
            figure on a machine with other work.
    """

    model: str
    vad: bool
    real_time: float
    a_core: float


class ThroughputTable(msgspec.Struct, frozen=True):
    """The result of `emovox benchmark throughput`, on an archive of `hours` in files of `file_seconds`."""

    hours: float
    file_seconds: float
    workers: int
    rows: tuple[ThroughputRow, ...]
    matrix_product: TimeSpread
    machine: Machine


def measure_throughput(names: Sequence[str] = (), *, hours: float = 0.5, workers: int = 2) -> ThroughputTable:
    """Time `emovox batch` on generated recordings, 16-bit wav at 16 kHz, with and without VAD.

    Args:
        names: names or paths of models; none stands for all shipped models.
        hours: length of the archive, 0.01 to 1000.
        workers: number of processes, >= 1.

    Raises:
        ConfigError: `hours` or `workers` out of range, or the system does not count processor time of ended processes.
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
    """Write files of speech with pauses, each from another place of it. Return their length in seconds."""
    folder.mkdir()
    source = _talk_with_pauses(4 * FILE_SECONDS)
    length, count = round(FILE_SECONDS * RATE), max(1, round(hours * 3600 / FILE_SECONDS))
    for number in range(count):
        start = number * 997 % (source.size - length)
        soundfile.write(folder / f"{number:06d}.wav", source[start : start + length], RATE)
    return count * FILE_SECONDS


def _talk_with_pauses(seconds: float) -> Samples:
    talk = talk_like(seconds, sample_rate=RATE)
    noise = NOISE * np.random.default_rng(0).standard_normal(talk.size)
    place = np.arange(talk.size) / RATE % (TALK + PAUSE)
    return np.where(place < TALK, talk, noise).astype(np.float32)


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
    """Return the processor time of all child processes that have ended."""
    try:
        import resource
    except ImportError as error:
        raise ConfigError(
            f"emovox benchmark throughput: got {sys.platform}, which does not count the processor time of processes "
            "that have ended; expected Linux or macOS"
        ) from error
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
