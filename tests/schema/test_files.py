"""Files are written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from emovox.schema.errors import ConfigError
from emovox.schema.files import replacing, write_whole

if sys.platform != "win32":
    import fcntl


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(target: Path) -> None:
    with replacing(target) as file:
        file.write(b"half")
        raise RuntimeError("stopped")


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    with replacing(target) as file:
        file.write(b"one")
        assert not target.exists()
        (part,) = names(tmp_path)
        assert part.startswith(".a.csv.")
    assert names(tmp_path) == ["a.csv"]
    assert target.read_bytes() == b"one"


def test_an_error_leaves_the_older_file(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    write_whole(target, b"old")
    with pytest.raises(RuntimeError, match="stopped"):
        write_half(target)
    assert names(tmp_path) == ["a.csv"]
    assert target.read_bytes() == b"old"


def test_a_block_that_writes_nothing_leaves_nothing(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.csv"):
        pass
    assert names(tmp_path) == []


def test_an_older_file_is_replaced(tmp_path: Path) -> None:
    for text in (b"old, and longer", b"new"):
        write_whole(tmp_path / "a", text)
    assert (tmp_path / "a").read_bytes() == b"new"


def test_folders_are_made_on_request_only(tmp_path: Path) -> None:
    target = tmp_path / "new" / "deep" / "a"
    with pytest.raises(ConfigError, match=r"a: cannot be written \(No such file.*expected a path in an existing"):
        write_whole(target, b"x")
    write_whole(target, b"x", make_folder=True)
    assert target.read_bytes() == b"x"


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ConfigError, match="taken: cannot be written"):
        write_whole(tmp_path / "taken", b"x")
    with pytest.raises(ConfigError, match="taken: cannot be written"), replacing(tmp_path / "taken"):
        pytest.fail("the work was begun for nothing")
    assert names(tmp_path) == ["taken"]


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"x")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_whole(tmp_path / "file" / "a", b"x", make_folder=True)


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"old")
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed there")
def test_unfinished_files_of_dead_processes_are_swept(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, living = f".b.csv.{ended.pid}.part", f".c.csv.{os.getppid()}.part"
    for name in (dead, living, ".notes.part"):
        (tmp_path / name).write_bytes(b"half")
    write_whole(tmp_path / "a.csv", b"whole")
    assert names(tmp_path) == sorted(["a.csv", living, ".notes.part"])


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed there")
def test_an_unfinished_file_of_another_machine_stays(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    part = tmp_path / f".b.csv.{ended.pid}.part"  # as if that number belonged to a process elsewhere
    with part.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_whole(tmp_path / "a.csv", b"whole")
    assert part.exists()


def test_a_name_as_long_as_a_file_system_allows(tmp_path: Path) -> None:
    write_whole(tmp_path / ("x" * 255), b"whole")
    assert names(tmp_path) == ["x" * 255]


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"through")
    reader.join()
    assert read == [b"through"]
    assert pipe.is_fifo()


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on a process")
def test_a_disk_without_room_is_an_error(tmp_path: Path) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(ConfigError, match=r"a\.csv: cannot be written \(.*with room for it"):
            write_whole(tmp_path / "a.csv", bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path) == []
