"""Stopping at any moment and going on: no row is lost and none comes twice."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emovox.batch import parts, plan
from emovox.batch.job import Answer, Item
from emovox.schema.errors import ArchiveError, ConfigError, NoAudioFilesError, UnreadableError
from emovox.testing import write_toy
from tests.batch.archives import (
    Here,
    analysed,
    files_of,
    opened,
    rows_of,
    same_rows,
    stopped_after,
    unobserved,
    write_archive,
    write_bad,
    write_recording,
)


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "GROUP_FILES", 2)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return write_archive(tmp_path, files=7)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.parquet"


def folder_of(output: Path) -> Path:
    return output.with_name(output.name + ".parts")


def resumed(calls: Path, output: Path) -> list[str]:
    """Go on, and tell which recordings were analysed."""
    engine = Here()
    with opened(calls, output, resume=True) as archive:
        archive.run(engine, unobserved)
    return [os.fsdecode(name) for name in engine.seen]


def test_rows_are_in_the_order_of_the_names(calls: Path, output: Path) -> None:
    tally = analysed(calls, output)
    expected = [f"{n % 3}/{n:02d}.wav" for n in (0, 3, 6, 1, 4, 2, 5)]
    assert files_of(output) == expected
    assert (tally.files, tally.failed) == (7, 0)
    assert tally.seconds == pytest.approx(7 * 1.2)
    rows = rows_of(output)
    assert sum(tally.labels.values()) == pytest.approx(sum(row["end"] - row["start"] for row in rows))
    assert not folder_of(output).exists()


@pytest.mark.parametrize("count", range(1, 8))
def test_stopped_anywhere_and_resumed_gives_the_same(calls: Path, tmp_path: Path, output: Path, count: int) -> None:
    write_bad(calls)
    whole = tmp_path / "whole.parquet"
    tally = analysed(calls, whole)
    stopped_after(count, calls, output)
    assert not output.exists()
    kept = count // 2 * 2
    assert folder_of(output).exists() == (kept > 0)
    with opened(calls, output, resume=True) as archive:
        assert (archive.files, archive.kept, archive.done.files, len(archive.waiting)) == (13, kept, kept, 13 - kept)
        again = archive.run(Here(), unobserved)
    assert same_rows(output, whole)
    assert again == tally or again.seconds == pytest.approx(tally.seconds)
    assert pq.read_schema(output) == pq.read_schema(whole)
    assert not folder_of(output).exists()


def test_unfinished_work_is_not_begun_anew_by_accident(calls: Path, output: Path) -> None:
    stopped_after(3, calls, output)
    with pytest.raises(ArchiveError, match=r"out\.parquet\.parts: got unfinished work .*--resume, or remove"):
        analysed(calls, output)
    assert len(resumed(calls, output)) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_work_in_hand_is_not_called_unfinished(calls: Path, output: Path) -> None:
    stopped_after(3, calls, output)
    with opened(calls, output, resume=True):
        for resume in (False, True):
            with (
                pytest.raises(ArchiveError, match="another process is at work on this output"),
                opened(calls, output, resume=resume),
            ):
                pytest.fail("the lock was passed over")
    assert len(resumed(calls, output)) == 5


def test_a_recording_that_changed_is_analysed_again(calls: Path, output: Path) -> None:
    stopped_after(5, calls, output)  # two groups are kept
    write_recording(calls / "0" / "03.wav", seconds=2.0)
    assert resumed(calls, output) == ["0/00.wav", "0/03.wav", *("1/04.wav", "2/02.wav"), "2/05.wav"]
    assert {row["duration"] for row in rows_of(output) if row["file"] == "0/03.wav"} == {2.0}
    assert len(files_of(output)) == 7


def test_a_bad_recording_that_was_repaired_is_analysed_again(calls: Path, output: Path) -> None:
    (calls / "0" / "00.wav").unlink()
    (calls / "0" / "00.wav").symlink_to("missing.wav")
    stopped_after(3, calls, output)
    write_recording(calls / "0" / "missing.wav")
    assert resumed(calls, output)[0] == "0/00.wav"
    assert {row["error_code"] for row in rows_of(output)} == {None}


def test_recordings_that_vanish(calls: Path, output: Path) -> None:
    stopped_after(3, calls, output)
    (calls / "0" / "00.wav").unlink()  # was analysed
    (calls / "2" / "05.wav").unlink()  # was not
    assert "0/00.wav" not in resumed(calls, output)
    codes = {row["file"]: row["error_code"] for row in rows_of(output)}
    assert codes["0/00.wav"] is None
    assert codes["2/05.wav"] == "unreadable"
    assert len(codes) == 7


def test_recordings_that_come_later_wait_for_another_run(calls: Path, output: Path) -> None:
    stopped_after(3, calls, output)
    write_recording(calls / "0" / "01.wav")
    assert "0/01.wav" not in resumed(calls, output)
    assert len(files_of(output)) == 7


def test_other_settings_are_refused(calls: Path, output: Path, tmp_path: Path) -> None:
    write_toy(tmp_path, name="other", version="9.9.9")
    stopped_after(3, calls, output)
    kept = sorted(folder_of(output).iterdir())
    for options, change in (
        ({"threshold": 0.5}, r"threshold was 0\.0, is 0\.5"),
        ({"channels": "split"}, "channels was mix, is split"),
        ({"vad": False}, "vad was True, is False"),
        ({"model": "other"}, r"model was toy, is other; version was 1\.2\.0, is 9\.9\.9; sha256 was"),
    ):
        with (
            pytest.raises(ArchiveError, match=rf"other settings \({change}.*resume with those, or remove that folder"),
            opened(calls, output, resume=True, **options),
        ):
            raise AssertionError("was not refused")
    shutil.copytree(calls, tmp_path / "copy")
    with (
        pytest.raises(ArchiveError, match=r"directory was .*calls, is .*copy"),
        opened(tmp_path / "copy", output, resume=True, model="toy"),
    ):
        raise AssertionError("was not refused")
    assert sorted(folder_of(output).iterdir()) == kept
    assert len(resumed(calls, output)) == 5


def test_a_damaged_part_is_made_again(calls: Path, output: Path, tmp_path: Path) -> None:
    analysed(calls, tmp_path / "whole.parquet")
    stopped_after(7, calls, output)
    (folder_of(output) / "0000001.parquet").write_bytes(b"PAR1")
    assert resumed(calls, output) == ["0/06.wav", "1/01.wav"]
    assert same_rows(output, tmp_path / "whole.parquet")


def test_what_killed_processes_leave_is_swept_and_what_is_not_ours_stays(calls: Path, output: Path) -> None:
    stopped_after(3, calls, output)
    (folder_of(output) / ".0000001.parquet.4711.part").write_bytes(b"half")
    (folder_of(output) / "mine.txt").write_text("notes")
    resumed(calls, output)
    assert [path.name for path in folder_of(output).iterdir()] == ["mine.txt"]


def test_an_older_output_stays_until_the_new_one_is_complete(calls: Path, output: Path) -> None:
    output.write_bytes(b"older")
    stopped_after(7, calls, output)
    assert output.read_bytes() == b"older"
    resumed(calls, output)
    assert len(files_of(output)) == 7


def test_resuming_what_is_complete_says_so(calls: Path, output: Path) -> None:
    analysed(calls, output)
    before = output.read_bytes()
    with pytest.raises(ArchiveError, match=r"got --resume for an output that is complete.*leave --resume out"):
        resumed(calls, output)
    assert output.read_bytes() == before


def test_resuming_what_never_began_begins(calls: Path, output: Path) -> None:
    assert len(resumed(calls, output)) == 7


def test_killed_between_the_output_and_the_end(calls: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(parts: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(parts.Parts, "clear", stop)
        with pytest.raises(KeyboardInterrupt):
            analysed(calls, output)
    assert len(files_of(output)) == 7
    assert resumed(calls, output) == []
    assert len(files_of(output)) == 7
    assert not folder_of(output).exists()


def test_two_processes_do_not_share_an_output(calls: Path, output: Path) -> None:
    with opened(calls, output) as archive:
        with (
            pytest.raises(ArchiveError, match="another process is at work on this output"),
            opened(calls, output, resume=True),
        ):
            raise AssertionError("was let in")
        assert archive.run(Here(), unobserved).files == 7


def test_a_folder_that_goes_away_stops_the_work(calls: Path, output: Path) -> None:
    """As a disk does that is pulled out: no row of an error for each of its recordings."""

    def pull(item: Item, answer: Answer) -> None:
        if item.index == 2:
            calls.rename(calls.with_name("away"))

    with (
        pytest.raises(UnreadableError, match=r"calls: cannot be listed .*that its disk is mounted"),
        opened(calls, output) as archive,
    ):
        archive.run(Here(), pull)
    with pytest.raises(UnreadableError, match="cannot be listed"):
        resumed(calls, output)
    calls.with_name("away").rename(calls)
    assert len(resumed(calls, output)) == 5
    assert {row["error_code"] for row in rows_of(output)} == {None}


def test_an_output_that_cannot_be_made_leaves_nothing(calls: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"out\.parquet\.parts: cannot be made"):
        analysed(calls, tmp_path / "nowhere" / "out.parquet")
    (tmp_path / "none").mkdir()
    with pytest.raises(NoAudioFilesError):
        analysed(tmp_path / "none", tmp_path / "out.parquet", model="toy")
    assert not list(tmp_path.glob("*.parts"))


def test_an_output_that_is_a_folder_keeps_the_rows(calls: Path, output: Path) -> None:
    output.mkdir()
    with pytest.raises(ConfigError, match=r"out\.parquet: cannot be written \(Is a directory\); the rows are complete"):
        analysed(calls, output)
    output.rmdir()
    assert resumed(calls, output) == []
    assert len(files_of(output)) == 7


def test_a_link_as_the_output_stays_a_link(calls: Path, output: Path, tmp_path: Path) -> None:
    output.symlink_to("real.parquet")
    analysed(calls, output)
    assert output.is_symlink()
    assert len(files_of(tmp_path / "real.parquet")) == 7


def test_parts_are_joined_to_few_groups_of_rows(calls: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    analysed(calls, output)
    rows, groups = len(rows_of(output)), pq.ParquetFile(output).num_row_groups
    assert groups == 1
    monkeypatch.setattr(parts, "ROWS_A_GROUP", 3)
    analysed(calls, output)
    assert 1 < pq.ParquetFile(output).num_row_groups <= rows // 3 + 1
    assert len(rows_of(output)) == rows
