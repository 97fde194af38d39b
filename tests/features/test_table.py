from __future__ import annotations

import csv
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from emovox.features.frames import columns, frame_features
from emovox.features.speech_like import speech_like
from emovox.features.table import (
    CsvRows,
    FeatureTable,
    csv_rows,
    extract_tables,
    frame_table,
    functional_table,
    named,
    write_csv,
    write_npz,
)
from emovox.schema.errors import ConfigError
from emovox.schema.result import Failure

SEVEN_DIGITS = 1e-6


def level(samples: npt.NDArray[np.float32]) -> FeatureTable:
    """A set of one feature; at module level, so that other processes find it."""
    return FeatureTable(("peak",), np.abs(samples).max(keepdims=True)[None])


def make_recordings(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{number}.wav" for number in range(count)]
    for number, path in enumerate(paths):
        soundfile.write(path, np.full(800, (number + 1) / 16), 16000)
    return paths


@pytest.mark.parametrize("workers", [1, 2])
def test_recordings_come_in_order_and_failures_in_their_place(tmp_path: Path, workers: int) -> None:
    paths = make_recordings(tmp_path, 11)
    paths[4].write_text("not audio")
    results = list(extract_tables(paths, level, named, workers=workers))
    failure = results.pop(4)
    assert isinstance(failure, Failure)
    assert (failure.file, failure.error.code) == (str(paths[4]), "undecodable")
    good = [result for result in results if not isinstance(result, Failure)]
    assert [name for name, _ in good] == [str(path) for number, path in enumerate(paths) if number != 4]
    np.testing.assert_allclose([table.values[0, 0] for _, table in good], np.delete(np.arange(1, 12) / 16, 4))


def interrupted_level(samples: npt.NDArray[np.float32]) -> FeatureTable:
    """An interrupt from the keyboard, which reaches every process of a terminal, in the middle of the work."""
    os.kill(os.getpid(), signal.SIGINT)
    return level(samples)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_workers_leave_interrupts_to_their_parent(tmp_path: Path) -> None:
    paths = make_recordings(tmp_path, 3)
    results = list(extract_tables(paths, interrupted_level, named, workers=2))
    assert [isinstance(result, Failure) for result in results] == [False] * 3


def test_recordings_are_mixed_and_resampled(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.column_stack([np.full(48000, 0.5), np.full(48000, 0.1)]), 48000)

    def measure(samples: npt.NDArray[np.float32]) -> FeatureTable:
        return FeatureTable(("count", "middle"), np.array([[samples.size, samples[samples.size // 2]]], np.float32))

    (result,) = extract_tables([path], measure, named, sample_rate=16000)
    assert not isinstance(result, Failure)
    _, table = result
    np.testing.assert_allclose(table.values, [[16000, 0.3]], rtol=1e-3)


def test_no_worker_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="got 0 workers, expected 1 or more"):
        extract_tables([tmp_path], level, named, workers=0)


def test_csv_reads_back_with_names_of_all_kinds(tmp_path: Path) -> None:
    output = tmp_path / "features.csv"
    names = ["a,b.wav", '声音 "1".wav', "100%d.wav", os.fsdecode(b"\xff.wav")]
    tables = [
        FeatureTable(("x", "y"), np.array([[0.1, -1e-9], [12345.678, 3]], np.float32), np.array([0.0, 0.01]))
        for _ in names
    ]
    assert write_csv(map(csv_rows, names, tables), output) == 4
    with output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "time", "x", "y"]
    assert [row[0] for row in rows[1::2]] == [*names[:-1], r"\xff.wav"]
    numbers = np.array([row[1:] for row in rows[1:]], np.float64)
    np.testing.assert_allclose(numbers[:2, 1:], tables[0].values, rtol=SEVEN_DIGITS)
    assert numbers[:2, 0].tolist() == [0.0, 0.01]


def test_npz_holds_the_arrays_of_the_documentation(tmp_path: Path) -> None:
    output = tmp_path / "features.npz"
    samples = {"é.wav": speech_like(0.3), "b.wav": speech_like(0.5, seed=1)}
    assert write_npz([(name, frame_table(audio)) for name, audio in samples.items()], output) == 2
    with np.load(output, allow_pickle=False) as data:
        assert data["files"].tolist() == list(samples)
        assert data["columns"].tolist() == list(columns())
        assert data["values"].dtype == np.float32
        of_b = data["recording"] == 1
        np.testing.assert_array_equal(data["values"][of_b], frame_features(samples["b.wav"]).to_matrix())
        np.testing.assert_allclose(data["time"][of_b], np.arange(51) / 100)


def test_one_row_a_recording_has_no_time(tmp_path: Path) -> None:
    table = functional_table(speech_like(1.0))
    assert table.values.shape == (1, len(table.columns))
    assert csv_rows("a.wav", table).header.startswith("file," + table.columns[0])
    write_npz([("a.wav", table)], tmp_path / "f.npz")
    with np.load(tmp_path / "f.npz") as data:
        assert "time" not in data


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_an_interruption_leaves_the_old_file_and_no_half_one(tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"features.{suffix}"
    output.write_text("old")

    def interrupted() -> Iterator[tuple[str, FeatureTable]]:
        yield "a", FeatureTable(("x",), np.zeros((1, 1), np.float32))
        raise KeyboardInterrupt

    def write() -> int:
        if suffix == "csv":
            return write_csv((csv_rows(name, table) for name, table in interrupted()), output)
        return write_npz(interrupted(), output)

    with pytest.raises(KeyboardInterrupt):
        write()
    assert [path.name for path in tmp_path.iterdir()] == [output.name]
    assert output.read_text() == "old"


def test_nothing_to_write_writes_nothing(tmp_path: Path) -> None:
    nothing: list[CsvRows] = []
    assert write_csv(nothing, tmp_path / "a.csv") == 0
    assert write_npz([], tmp_path / "a.npz") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.csv: cannot be written \(.*\); expected a path in an existing folder"):
        write_csv([], tmp_path / "missing" / "a.csv")
