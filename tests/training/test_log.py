"""CSV and TensorBoard hold every step once, also after a run was killed; sentences; sums of seconds."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from emovox.schema.errors import ConfigError
from emovox.training.log import MOST_EVENTS, Log, ProgressPrinter, StepRecord, Stopwatch


def rows(count: int, *, start: int = 1, loss: float = 1 / 3) -> list[StepRecord]:
    return [StepRecord(n, loss + n, 1e-3, 0.5 if n % 4 == 0 else None, n / 8) for n in range(start, start + count)]


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def events(folder: Path, name: str) -> dict[int, float]:
    found = EventAccumulator(str(folder / "tensorboard")).Reload().Scalars(name)
    assert len({event.step for event in found}) == len(found)
    return {event.step: event.value for event in found}


def test_the_csv_holds_every_step_exactly(tmp_path: Path) -> None:
    with Log(tmp_path, [], steps=8) as log:
        for row in rows(8):
            log.write(row)
    found = table(tmp_path)
    assert [float(line["loss"]) for line in found] == [row.loss for row in rows(8)]
    assert found[3] == {
        "step": "4",
        "loss": repr(1 / 3 + 4),
        "learning_rate": "0.001",
        "uar": "0.5",
        "seconds": "0.500",
    }
    assert found[2]["uar"] == ""


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    with Log(tmp_path, [], steps=8) as log:
        for row in rows(8):
            log.write(row)
    assert events(tmp_path, "loss") == pytest.approx({row.step: row.loss for row in rows(8)})
    assert events(tmp_path, "uar") == {4: 0.5, 8: 0.5}
    assert set(events(tmp_path, "learning_rate")) == set(range(1, 9))


def test_what_a_killed_run_wrote_beyond_its_checkpoint_is_taken_back(tmp_path: Path) -> None:
    with Log(tmp_path, [], steps=8) as log:
        for row in rows(6, loss=100.0):
            log.write(row)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("7,0.1")  # killed within a line
    kept = rows(4, loss=100.0)
    with Log(tmp_path, kept, steps=8) as log:
        for row in rows(4, start=5, loss=200.0):
            log.write(row)
    wanted = {row.step: row.loss for row in (*kept, *rows(4, start=5, loss=200.0))}
    assert {int(line["step"]): float(line["loss"]) for line in table(tmp_path)} == wanted
    assert len(table(tmp_path)) == 8
    assert events(tmp_path, "loss") == pytest.approx(wanted)


def test_a_long_run_writes_fewer_events(tmp_path: Path) -> None:
    with Log(tmp_path, [], steps=3 * MOST_EVENTS) as log:
        for row in rows(9):
            log.write(row)
    assert set(events(tmp_path, "loss")) == {3, 4, 6, 8, 9}  # every third, and where UAR was measured
    assert len(table(tmp_path)) == 9


def test_what_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "log.csv").mkdir()
    with pytest.raises(ConfigError, match=r"log\.csv: cannot be written"):
        Log(tmp_path, [], steps=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "tensorboard").touch()
    with pytest.raises(
        ConfigError, match=r"log\.csv: cannot be written \(.*\); expected room on the disk; then resume"
    ):
        Log(tmp_path / "other", [], steps=1)


def test_a_sentence_tells_loss_uar_and_time_left() -> None:
    said: list[tuple[int, int, str]] = []
    speaker = ProgressPrinter(lambda *words: said.append(words), steps=9, done=0)
    for row in rows(9):
        speaker.say(row)
    assert [(done, total) for done, total, _ in said if done in (4, 8, 9)] == [(4, 9), (8, 9), (9, 9)]
    assert said[-1][2] == "loss 9.333, UAR 50.0, 0 s left"
    assert said[0][2].startswith("loss ")
    assert said[0][2].endswith("left")


def test_nobody_need_listen() -> None:
    ProgressPrinter(None, steps=1, done=0).say(rows(1)[0])


def test_every_moment_counts_for_one_part() -> None:
    watch = Stopwatch({"data": 2.0})
    for part in ("data", "forward", "data"):
        watch.lap(part)
    assert set(watch.seconds) == {"data", "forward"}
    assert watch.seconds["data"] > 2.0
    assert watch.seconds["forward"] > 0.0
    assert watch.total() == sum(watch.seconds.values())
