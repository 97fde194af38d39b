"""Features of many recordings as one table: computed in parallel, written atomically as CSV or NPZ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from emovox.audio.reader import load_audio
from emovox.audio.types import DEFAULT_READING, Reading, Samples
from emovox.features.config import FeatureConfig
from emovox.features.frames import columns, frame_features
from emovox.features.mfcc import DEFAULT
from emovox.features.parallel import parallel
from emovox.schema.errors import ConfigError, EmovoxError
from emovox.schema.files import replacing
from emovox.schema.result import Failure, Notice
from emovox.schema.text import csv_line, shown_line

T = TypeVar("T")


class FeatureTable(NamedTuple):
    """Features of one recording.

    Attributes:
        columns: names of the columns.
        values: shape [rows, columns], float32.
        times: centres of the frames in seconds, shape [rows]; None if the only row describes the whole recording.
    """

    columns: tuple[str, ...]
    values: npt.NDArray[np.float32]
    times: npt.NDArray[np.float64] | None = None


Extract = Callable[[Samples], FeatureTable]
"""Samples of shape [n] → table of the recording. It must be picklable: a module-level function, or a partial of one."""


class CsvRows(NamedTuple):
    """The CSV lines of one recording and their header; every line ends with a newline."""

    header: str
    lines: str


def extract_tables(
    paths: Sequence[Path],
    extract: Extract,
    encode: Callable[[str, FeatureTable], T],
    *,
    sample_rate: int = 16000,
    reading: Reading = DEFAULT_READING,
    workers: int = 1,
) -> Iterator[T | Failure]:
    """Decode recordings, mix their channels, and compute their features, in the order of `paths`.

    Args:
        paths: the recordings.
        extract: function of samples of shape [n] that returns the table.
        encode: (file name, table) → item to yield; it runs in the workers too, so text is also made in parallel.
        sample_rate: rate of the samples for `extract` in Hz.
        reading: which track of a container, and what bare samples are.
        workers: number of processes; 1 is this process. Each further one takes about a second to start.

    Yields:
        For each path the result of `encode`, or a failure with the reason.

    Raises:
        ConfigError: `workers` is below 1.
    """
    if workers < 1:
        raise ConfigError(f"got {workers} workers, expected 1 or more")
    work = partial(_extract_one, extract=extract, encode=encode, sample_rate=sample_rate, reading=reading)
    workers = min(workers, len(paths))
    return map(work, paths) if workers <= 1 else parallel(work, paths, workers)


def csv_rows(file: str, table: FeatureTable) -> CsvRows:
    """Return a table as CSV lines: file, time (for frames), then the features with 7 significant digits.

    >>> csv_rows("a,b.wav", FeatureTable(("rms",), np.float32([[0.1]]))).lines.strip()
    '"a,b.wav",0.1'
    """
    header = ["file", *([] if table.times is None else ["time"]), *table.columns]
    start = shown_line([file]).rstrip("\n").replace("%", "%%")
    pattern = start + ("" if table.times is None else ",%.6g") + ",%.7g" * len(table.columns) + "\n"
    numbers = table.values if table.times is None else np.column_stack([table.times, table.values])
    return CsvRows(csv_line(header), "".join(pattern % tuple(row) for row in numbers.tolist()))


def named(file: str, table: FeatureTable) -> tuple[str, FeatureTable]:
    """Return a table with the name of its file: the items of `write_npz`."""
    return file, table


def write_csv(recordings: Iterable[CsvRows], output: Path) -> int:
    """Write the lines of recordings to a CSV file.

    Args:
        recordings: results of `csv_rows`, all with the same header.
        output: path of the finished file; without recordings no file is written.

    Returns:
        Number of recordings.

    Raises:
        ConfigError: the file cannot be written.
    """
    count = 0
    with replacing(output) as file:
        for count, rows in enumerate(recordings, start=1):
            file.write(((rows.header if count == 1 else "") + rows.lines).encode())
    return count


def write_npz(recordings: Iterable[tuple[str, FeatureTable]], output: Path) -> int:
    """Write recordings as arrays to an NPZ file.

    The shapes are: files [n], columns [c], recording [rows], values [rows, c], and for frames time [rows] in seconds.
    `recording` is an index into `files`. All rows are in memory until the end.

    Args:
        recordings: (file name, table), all with the same columns.
        output: path of the finished file; without recordings no file is written.

    Returns:
        Number of recordings.

    Raises:
        ConfigError: the file cannot be written.
    """
    with replacing(output) as file:
        names, tables = [], []
        for name, table in recordings:
            names.append(name)
            tables.append(table)
        if tables:
            arrays: dict[str, Any] = {
                "files": np.array(names),
                "columns": np.array(tables[0].columns),
                "recording": np.repeat(np.arange(len(tables)), [len(table.values) for table in tables]),
                "values": np.concatenate([table.values for table in tables]),
            }
            times = [table.times for table in tables if table.times is not None]
            if times:
                arrays["time"] = np.concatenate(times)
            np.savez_compressed(file, **arrays)
    return len(tables)


def _extract_one(
    path: Path, *, extract: Extract, encode: Callable[[str, FeatureTable], T], sample_rate: int, reading: Reading
) -> T | Failure:
    try:
        samples, _ = load_audio(path, sample_rate=sample_rate, channels="mix", reading=reading)
        return encode(str(path), extract(samples[0]))
    except EmovoxError as error:
        return Failure(str(path), Notice(error.code, str(error)))


def frame_table(samples: Samples, config: FeatureConfig = DEFAULT) -> FeatureTable:
    """Compute all frame features, one row per frame.

    Args:
        samples: shape [n], float32 at `config.sample_rate`.
        config: parameters of the features.

    Returns:
        `columns(config)`, values of shape [t, columns], and times t * hop / sample_rate in seconds, shape [t].

    Raises:
        AudioError: `samples` is not one channel of finite numbers.

    >>> table = frame_table(np.zeros(320, np.float32))
    >>> table.times.tolist()
    [0.0, 0.01, 0.02]
    """
    values = frame_features(samples, config).to_matrix()
    times = np.arange(len(values)) * config.hop / config.sample_rate
    return FeatureTable(columns(config), values, times)


def functional_table(samples: Samples) -> FeatureTable:
    """Compute the utterance functionals of 16 kHz audio of shape [n]: one row, values of shape [1, 609].

    Raises:
        AudioError: `samples` is not one channel of finite numbers.
    """
    from emovox.features.functionals import functional_names, functionals

    return FeatureTable(tuple(functional_names()), np.asarray(functionals(samples), np.float32)[None])
