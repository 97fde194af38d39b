from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest
import soundfile

from emovox.audio.reader import load_audio
from emovox.benchmark import throughput
from emovox.benchmark.throughput import (
    FILE_SECONDS,
    RATE,
    ThroughputRow,
    ThroughputTable,
    measure_throughput,
    write_archive,
)
from emovox.runtime.registry import shipped
from emovox.runtime.segmenter import cut_tiles
from emovox.schema.errors import ConfigError, EmovoxError, MissingExtraError


def test_with_and_without_voice_activity() -> None:
    table = measure_throughput(["svm"], hours=0.01, workers=1)
    assert [(row.model, row.vad) for row in table.rows] == [("svm", True), ("svm", False)]
    assert all(row.real_time > 0 and row.a_core > 0 for row in table.rows)
    assert table.hours == pytest.approx(3 * FILE_SECONDS / 3600)
    assert msgspec.json.decode(msgspec.json.encode(table), type=ThroughputTable) == table


def test_the_archive_is_talk_with_pauses(tmp_path: Path) -> None:
    assert write_archive(tmp_path / "a", hours=0.01) == 3 * FILE_SECONDS
    files = sorted((tmp_path / "a").iterdir())
    sounds = [load_audio(file)[0][0] for file in files]
    assert {soundfile.info(file).duration for file in files} == {FILE_SECONDS}
    assert len({sound.tobytes() for sound in sounds}) == len(files) == 3
    spoken = sum(tile.end - tile.start for sound in sounds for tile in cut_tiles([sound])) / RATE
    assert 0.55 < spoken / (3 * FILE_SECONDS) < 0.85


def test_a_command_that_fails_is_no_figure() -> None:
    with pytest.raises(EmovoxError, match=r"--model huge .*exited with 1: .*no model 'huge'"):
        measure_throughput(["huge"], hours=0.01)


def test_wrong_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    for hours, workers in ((0.0, 1), (2000.0, 1), (1.0, 0)):
        with pytest.raises(ConfigError, match=r"expected 0\.01 to 1000 hours and 1 or more workers"):
            measure_throughput(hours=hours, workers=workers)

    def missing(module: str, *, need: str, extra: str) -> None:
        assert module == "pyarrow"
        raise MissingExtraError(need, extra)

    monkeypatch.setattr(throughput, "require", missing)
    with pytest.raises(MissingExtraError, match=r"emovox\[batch\]"):
        measure_throughput()


def test_a_system_without_processor_times_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    with pytest.raises(ConfigError, match=r"does not count the processor time .* expected Linux or macOS"):
        measure_throughput(["svm"], hours=0.01)


def test_all_shipped_models_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def row(_archive: Path, model: str, *, seconds: float, vad: bool, workers: int) -> ThroughputRow:
        return ThroughputRow(model, vad, seconds, workers)

    monkeypatch.setattr(throughput, "_row", row)
    assert {row.model for row in measure_throughput(hours=0.01).rows} == set(shipped())
