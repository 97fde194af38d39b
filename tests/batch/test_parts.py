"""Parts of other work never count, and the folder goes when nothing is in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from emovox.batch import plan
from emovox.batch.parts import LOCK, MANIFEST, Parts
from emovox.schema.errors import ConfigError
from emovox.testing import write_toy
from tests.batch.archives import analysed, opened, same_rows, stopped_after, write_archive


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "GROUP_FILES", 2)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return write_archive(tmp_path, files=6)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.parquet"


def test_parts_without_a_manifest_are_not_taken_by_another_model(calls: Path, output: Path, tmp_path: Path) -> None:
    """As a kill leaves them in the middle of removing."""
    write_toy(tmp_path, name="other", version="9.9.9")
    stopped_after(5, calls, output)
    (Parts(output).folder / MANIFEST).unlink()
    with opened(calls, output, model="other") as archive:
        assert (archive.kept, len(archive.waiting)) == (0, 6)
        assert not list(Parts(output).folder.glob("*.parquet"))


def test_parts_of_another_manifest_are_made_again(calls: Path, output: Path, tmp_path: Path) -> None:
    analysed(calls, tmp_path / "whole.parquet", threshold=0.9)
    stopped_after(5, calls, tmp_path / "first.parquet")
    stopped_after(3, calls, output, threshold=0.9)
    for part in Parts(tmp_path / "first.parquet").folder.glob("*.parquet"):
        part.replace(Parts(output).folder / part.name)
    with opened(calls, output, threshold=0.9, resume=True) as archive:
        assert archive.kept == 0
    analysed(calls, output, threshold=0.9, resume=True)
    assert same_rows(output, tmp_path / "whole.parquet")


def test_parts_that_cannot_be_removed_are_an_error(calls: Path, output: Path) -> None:
    (Parts(output).folder / "0000000.parquet").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"out\.parquet\.parts: got parts of other work .*remove that folder"):
        analysed(calls, output)


def test_a_lock_that_cannot_be_removed_while_it_is_open_goes_after(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    parts, unlink = Parts(output), Path.unlink

    def refuse_open(path: Path, **options: bool) -> None:
        held = {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}
        if path.name == LOCK and str(path) in held:
            raise PermissionError
        unlink(path, **options)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs Linux to see what is open")
    monkeypatch.setattr(Path, "unlink", refuse_open)
    with parts.locked():
        assert (parts.folder / LOCK).exists()
    assert not parts.folder.exists()
