"""The check of words finds what is planted, and skips marked sections only."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.words import OFF, ON, finds, main


def test_planted_words_are_found_with_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "src" / "emovox" / "audio"
    folder.mkdir(parents=True)
    (folder / "made.py").write_text('"""Read samples.\n\nThe caller shall wait.\n"""\n')
    (tmp_path / "README.md").write_text("Plain words.\n")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    assert main(tmp_path) == 1
    assert capsys.readouterr().out == "src/emovox/audio/made.py:3: shall\n   1 src/emovox/audio\n"
    (folder / "made.py").write_text('"""Read samples."""\n')
    assert main(tmp_path) == 0
    assert capsys.readouterr().out == ""


def test_a_marked_section_is_skipped_and_must_end() -> None:
    text = f"In haste.\n  {OFF}\nIn haste.\n  {ON}\nThe server is told.\n"
    assert list(finds(text)) == [(1, "haste"), (5, "is told")]
    assert list(finds(f"Plain.\n{OFF}\nIn haste.\n")) == [(2, f"{OFF} without {ON}")]
    assert list(finds(f"Not marked: {OFF} somebody")) == [(1, "somebody")]
