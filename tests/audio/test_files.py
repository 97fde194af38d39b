"""The recordings at or below a path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from emovox.audio.files import AUDIO_SUFFIXES, audio_files
from emovox.schema.errors import NoAudioFilesError, UnreadableError


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_directory_is_searched_in_order(tmp_path: Path) -> None:
    make(tmp_path, "b.WAV", "a/z.flac", "a/é 你.m4a", "notes.txt", ".hidden.wav", ".cache/c.wav", "a/.x/d.wav", "wav")
    assert audio_files(tmp_path) == [tmp_path / "a/z.flac", tmp_path / "a/é 你.m4a", tmp_path / "b.WAV"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_in_a_directory_are_skipped(tmp_path: Path) -> None:
    make(tmp_path, "a.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    assert audio_files(tmp_path) == [tmp_path / "a.wav"]


def test_broken_links_are_listed(tmp_path: Path) -> None:
    (tmp_path / "gone.wav").symlink_to("nowhere")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    assert audio_files(tmp_path) == [tmp_path / "gone.wav", tmp_path / "loop.wav"]


def test_messages_can_be_written_whatever_the_name(tmp_path: Path) -> None:
    for name in (b"gone\xff", b"bare\xff"):
        folder = tmp_path / os.fsdecode(name)
        if name.startswith(b"bare"):
            folder.mkdir()
        with pytest.raises((UnreadableError, NoAudioFilesError), match=r"\\xff"):
            audio_files(folder)


def test_file_stands_for_itself(tmp_path: Path) -> None:
    make(tmp_path, "notes.txt")
    assert audio_files(str(tmp_path / "notes.txt")) == [tmp_path / "notes.txt"]


def test_hidden_root_is_searched(tmp_path: Path) -> None:
    make(tmp_path, ".mine/a.wav")
    assert audio_files(tmp_path / ".mine") == [tmp_path / ".mine/a.wav"]


def test_directory_without_audio(tmp_path: Path) -> None:
    make(tmp_path, "notes.txt")
    with pytest.raises(NoAudioFilesError, match="got a directory without audio, expected files such as"):
        audio_files(tmp_path)


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"none: could not be read \(No such file"):
        audio_files(tmp_path / "none")


def test_directory_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    # Root may list everything, so the refusal is staged.
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UnreadableError, match="Permission denied"):
        audio_files(tmp_path)


def test_subdirectory_that_cannot_be_listed_does_not_lose_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.wav", "locked/b.wav")
    scan = os.scandir

    def refuse(path: str | Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert audio_files(tmp_path) == [tmp_path / "a.wav", tmp_path / "locked"]


def test_suffixes_are_lower_case_with_a_dot() -> None:
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in AUDIO_SUFFIXES)
    assert {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".webm", ".mp4", ".aac", ".mov"} <= AUDIO_SUFFIXES
