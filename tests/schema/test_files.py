"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from emovox.schema.errors import ConfigError
from emovox.schema.files import replacing, write_whole


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
    assert names(tmp_path) == ["taken"]


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"x")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_whole(tmp_path / "file" / "a", b"x", make_folder=True)
