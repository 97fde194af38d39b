"""The scripts in examples/ run, on generated speech, and do what they say."""

from __future__ import annotations

import csv
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.testing import RATE, speech, write_toy

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, *arguments: str, folder: Path, status: int = 0) -> tuple[list[str], str]:
    command = [sys.executable, str(EXAMPLES / script), *arguments, "--model", str(folder / "toy.json")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.returncode == status, done.stderr
    return done.stdout.splitlines(), done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_toy(tmp_path)
    calls = tmp_path / "calls"
    (calls / "day 2").mkdir(parents=True)
    quiet = np.zeros(RATE, np.float32)
    customer = np.concatenate(
        [quiet, speech(130.0, seconds=5.0), np.zeros(60 * RATE, np.float32), speech(130.0, seconds=2)]
    )
    agent = np.concatenate([np.zeros(8 * RATE, np.float32), speech(400.0, seconds=50.0)])
    agent = np.pad(agent, (0, customer.size - agent.size))
    soundfile.write(calls / "a.wav", np.stack([agent, customer], axis=1), RATE)
    soundfile.write(calls / "day 2" / "b.flac", speech(130.0, seconds=2.0), RATE)
    return tmp_path


def test_call_summary_hears_the_customer_only(folder: Path) -> None:
    lines, _ = run("call_summary.py", "calls/a.wav", "--customer", "1", folder=folder)
    assert [line[:10] for line in lines[:-1]] == ["minute   1", "minute   2"]
    seconds = [float(line.split()[2]) for line in lines[:-1]]
    assert seconds == pytest.approx([5, 2], abs=1)
    assert lines[-1].startswith("whole call: ")


@pytest.mark.parametrize(
    ("call", "channel", "reason"), [("calls/a.wav", "2", "channel"), ("calls/none.wav", "1", "no such file")]
)
def test_call_summary_says_in_one_line_what_is_wrong(folder: Path, call: str, channel: str, reason: str) -> None:
    lines, errors = run("call_summary.py", call, "--customer", channel, folder=folder, status=1)
    assert lines == []
    assert re.fullmatch(rf"error: {call}: .*{reason}.*\n", errors)


def test_mood_diary_grows_and_is_private(folder: Path) -> None:
    (folder / "calls" / "broken.wav").write_bytes(b"no sound")
    os.utime(folder / "calls" / "a.wav", (0, 86400))
    first, _ = run("mood_diary.py", "calls", folder=folder)
    assert len(first) == 3
    assert "a.wav" in first[0]
    assert any("undecodable" in line for line in first)
    before = (folder / "diary.csv").read_bytes()
    assert stat.S_IMODE((folder / "diary.csv").stat().st_mode) == 0o600
    again, _ = run("mood_diary.py", "calls", folder=folder)
    assert again == first
    assert (folder / "diary.csv").read_bytes() == before
    soundfile.write(folder / "calls" / "c.wav", speech(130.0, seconds=1.0), RATE)
    run("mood_diary.py", "calls", folder=folder)
    with (folder / "diary.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4


def test_mood_diary_keeps_what_is_done_when_a_memo_is_gone(folder: Path) -> None:
    (folder / "calls" / "aa.wav").symlink_to("nowhere.wav")  # between the two that can be read
    lines, errors = run("mood_diary.py", "calls", folder=folder)
    assert len(lines) == 2
    assert re.fullmatch(r"skipped: .*aa\.wav.*\n", errors)
    (folder / "calls" / "nowhere.wav").symlink_to(folder / "calls" / "a.wav")
    lines, errors = run("mood_diary.py", "calls", folder=folder)
    assert len(lines) == 4
    assert errors == ""


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="every file name is valid there")
def test_names_that_are_not_utf8(folder: Path) -> None:
    (folder / "calls" / "a.wav").rename(os.fsdecode(os.fsencode(folder / "calls") + b"/a\xff.wav"))
    first, _ = run("mood_diary.py", "calls", folder=folder)
    assert any(line.endswith(r" a\xff.wav") for line in first)
    before = (folder / "diary.csv").read_text(encoding="utf-8")
    assert run("mood_diary.py", "calls", folder=folder)[0] == first
    assert (folder / "diary.csv").read_text(encoding="utf-8") == before
    lines, _ = run("interviews_to_textgrid.py", "calls", "grids", folder=folder)
    assert len(lines) == len(list((folder / "grids").rglob("*.TextGrid"))) == 2


def test_interviews_to_textgrid(folder: Path) -> None:
    (folder / "calls" / "broken.wav").write_bytes(b"no sound")
    lines, errors = run("interviews_to_textgrid.py", "calls", "grids", folder=folder, status=1)
    assert len(lines) == 2
    assert errors.count("error: ") == 1
    grid = (folder / "grids" / "a.TextGrid").read_text(encoding="utf-8")
    assert 'name = "emotion channel 0"' in grid
    assert 'name = "emotion channel 1"' in grid
    assert (folder / "grids" / "day 2" / "b.TextGrid").is_file()


def test_interviews_of_one_name_get_a_grid_each(folder: Path) -> None:
    shutil.copy(folder / "calls" / "day 2" / "b.flac", folder / "calls" / "a.flac")
    shutil.copy(folder / "calls" / "day 2" / "b.flac", folder / "calls" / "a.wav.flac")
    lines, _ = run("interviews_to_textgrid.py", "calls", "grids", folder=folder)
    grids = {path.name: path.read_text(encoding="utf-8") for path in (folder / "grids").glob("*.TextGrid")}
    assert sorted(grids) == ["a.TextGrid", "a.wav.TextGrid", "a.wav.flac.TextGrid"]
    assert [name for name, grid in grids.items() if "emotion channel 1" in grid] == ["a.wav.TextGrid"]
    assert len(lines) == len(set(lines)) == 4


@pytest.mark.parametrize("script", ["interviews_to_textgrid.py", "mood_diary.py"])
def test_a_missing_folder_is_told_in_one_line(folder: Path, script: str) -> None:
    arguments = ["nowhere", "grids"] if script.startswith("interviews") else ["nowhere"]
    assert run(script, *arguments, folder=folder, status=1)[1].count("\n") == 1
