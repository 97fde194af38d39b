"""Names, pipes and unreadable files."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pytest

from emovox.audio import source
from emovox.audio.source import name_of, open_view, rereadable
from emovox.schema.errors import AudioError, EmptyAudioError, UnreadableError


class Pipe(io.RawIOBase):
    """Readable, but not seekable, as standard input is."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(buffer)


def test_names_of_all_kinds_of_sources(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"x")
    with path.open("rb") as file:
        assert name_of(file) == str(path)
    assert name_of(path) == name_of(str(path)) == str(path)
    assert name_of(io.BytesIO(b"x")) == "<stream>"
    assert name_of(b"x") == "<bytes>"
    assert name_of((np.zeros(3), 8000)) == "<samples>"


def test_file_opened_by_descriptor_has_no_usable_name(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    with os.fdopen(os.open(tmp_path / "a.wav", os.O_RDONLY), "rb") as file:
        assert name_of(file) == "<stream>"


def test_name_that_is_not_utf8_becomes_printable() -> None:
    name = name_of(os.fsdecode(b"\xff\xe9t\xe9.wav"))
    assert name == r"\xff\xe9t\xe9.wav"
    assert name_of(os.fsdecode(b"\xfe.wav")) != name_of(os.fsdecode(b"\xff.wav"))
    assert name_of("lone \ud800.wav") == r"lone \ud800.wav"


@pytest.mark.parametrize("size", [10, source._SPOOL_BYTES + 10])
def test_pipe_is_copied_so_that_it_can_be_read_twice(size: int) -> None:
    data = np.random.default_rng(0).bytes(size)
    copy = cast(BinaryIO, rereadable(cast(BinaryIO, Pipe(data))))
    for _ in range(2):
        copy.seek(0)
        assert copy.read() == data


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_path_of_a_pipe_is_copied(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"RIFF and more"))
    writer.start()
    copy = cast(BinaryIO, rereadable(pipe))
    writer.join()
    assert open_view(copy, name="pipe").at(0, 64) == b"RIFF and more"


class Broken(Pipe):
    """A pipe whose other end fails."""

    def readinto(self, _: Any) -> int:
        raise OSError(5, "I/O error")


def test_open_files_that_cannot_be_read(tmp_path: Path) -> None:
    writing = (tmp_path / "a.wav").open("wb")
    with writing, pytest.raises(UnreadableError, match=r"a\.wav: could not be read \(.*read.*\), expected a file"):
        open_view(cast(BinaryIO, writing), name="a.wav")
    with pytest.raises(UnreadableError, match="closed file"):
        rereadable(cast(BinaryIO, writing))
    with pytest.raises(UnreadableError, match="I/O error"):
        rereadable(cast(BinaryIO, Broken(b"")))
    (tmp_path / "b.wav").write_bytes(b"RIFF\xff\xff")
    with (tmp_path / "b.wav").open(encoding="utf-8") as text, pytest.raises(AudioError, match="opened as text"):
        open_view(cast(BinaryIO, text), name="b.wav")


def test_seekable_sources_are_left_alone() -> None:
    for given in ("a.wav", b"RIFF", (np.zeros(2), 8000), io.BytesIO(b"RIFF")):
        assert rereadable(given) is given


def test_array_without_rate_is_refused_with_advice() -> None:
    with pytest.raises(AudioError, match=r"got a ndarray.*together with its rate"):
        rereadable(np.zeros(10))  # type: ignore[arg-type]


def test_number_is_refused() -> None:
    with pytest.raises(AudioError, match="got a int, expected a path"):
        rereadable(3)  # type: ignore[arg-type]


def test_missing_file() -> None:
    with pytest.raises(UnreadableError, match=r"none\.wav: got no such file, expected .*; check the path"):
        open_view("/nowhere/none.wav", name="none.wav")


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="got a directory, expected an audio file"):
        open_view(str(tmp_path), name="x")


def test_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, mode: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    # Root may read everything, so the refusal is staged.
    monkeypatch.setattr(source, "open", refuse, raising=False)
    with pytest.raises(UnreadableError, match=r"may not be read.*check its permissions"):
        open_view(str(tmp_path / "secret.wav"), name="secret.wav")


def test_link_that_points_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    with pytest.raises(UnreadableError, match=r"loop\.wav: could not be opened \(.+\)"):
        open_view(str(tmp_path / "loop.wav"), name="loop.wav")


@pytest.mark.skipif(sys.platform != "linux", reason="a file whose first bytes cannot be read, as on a bad disk")
def test_file_on_a_bad_disk() -> None:
    with pytest.raises(UnreadableError, match=r"mem: could not be read \(Input/output error\), expected a readable"):
        open_view("/proc/self/mem", name="mem")


def test_path_with_a_null_character() -> None:
    with pytest.raises(UnreadableError, match=r"could not be opened \(embedded null"):
        open_view("a\0.wav", name="x")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "e.wav").touch()
    with pytest.raises(EmptyAudioError, match=r"e\.wav: got an empty file \(0 bytes\)"):
        open_view(str(tmp_path / "e.wav"), name="e.wav")


def test_open_file_is_read_from_its_beginning() -> None:
    file = io.BytesIO(b"RIFF....WAVE")
    file.seek(0, io.SEEK_END)
    assert open_view(file, name="x").at(0, 64) == b"RIFF....WAVE"


def test_file_opened_as_text() -> None:
    with pytest.raises(AudioError, match=r"opened as text.*mode 'rb'"):
        open_view(io.StringIO("RIFF"), name="x")  # type: ignore[arg-type]
