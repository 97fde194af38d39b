from __future__ import annotations

import os
from pathlib import Path

import pytest

from emovox.batch import plan as module
from emovox.batch.plan import ArchivePlan, GroupFinder, check_directory, decode_manifest, encode_manifest, make_plan
from emovox.schema.errors import ArchiveError, NoAudioFilesError, UnreadableError
from tests.batch.archives import write_archive
from tests.batch.test_table import SETTINGS


def test_names_are_sorted_and_below_the_folder(tmp_path: Path) -> None:
    plan = make_plan(write_archive(tmp_path, files=7))
    expected = [f"{n % 3}/{n:02d}.wav" for n in (0, 3, 6, 1, 4, 2, 5)]
    assert [os.fsdecode(name).replace(os.sep, "/") for name in plan.names] == expected
    assert plan.directory == os.fsencode(os.path.realpath(tmp_path / "calls"))


def test_groups_end_by_files_or_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, size in enumerate([5, 5, 5, 20, 1, 20]):
        (tmp_path / f"{number}.wav").write_bytes(bytes(size))
    monkeypatch.setattr(module, "GROUP_FILES", 2)
    monkeypatch.setattr(module, "GROUP_BYTES", 20)
    plan = make_plan(tmp_path)
    assert plan.sizes == (2, 2, 2)
    monkeypatch.setattr(module, "GROUP_FILES", 100)
    plan = make_plan(tmp_path)
    assert plan.sizes == (4, 2)
    assert plan.groups() == [range(4), range(4, 6)]
    assert [GroupFinder(plan.groups())(index) for index in range(6)] == [0, 0, 0, 0, 1, 1]


def test_the_manifest_keeps_any_name(tmp_path: Path) -> None:
    plan = ArchivePlan(b"/calls\n\xff", (b"new\nline.wav", b"\xff\xfe.wav", "日本 😀.wav".encode()), (2, 1))
    assert decode_manifest(encode_manifest(plan, SETTINGS), where="manifest") == (plan, SETTINGS)


@pytest.mark.parametrize("cut", [0, 10, -5, -20])
def test_a_damaged_manifest_is_an_error(cut: int) -> None:
    data = encode_manifest(ArchivePlan(b"/calls", (b"a.wav", b"b.wav"), (2,)), SETTINGS)
    with pytest.raises(ArchiveError, match=r"^there: got a damaged list of work .* remove its folder"):
        decode_manifest(data[:cut], where="there")


def test_a_manifest_of_another_format_is_an_error() -> None:
    data = encode_manifest(ArchivePlan(b"/calls", (b"a.wav",), (1,)), SETTINGS).replace(b'"format":1', b'"format":2')
    with pytest.raises(ArchiveError, match=r"\(format 2, 1 files\), expected format 1"):
        decode_manifest(data, where="there")


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"nowhere: cannot be listed \(No such file or directory\)"):
        check_directory(tmp_path / "nowhere")
    with pytest.raises(UnreadableError, match=r"cannot be listed \(empty\).*that its disk is mounted"):
        check_directory(tmp_path)
    (tmp_path / "notes.wav").touch()
    with pytest.raises(UnreadableError, match=r"notes.wav: got a file, expected a directory"):
        make_plan(tmp_path / "notes.wav")
    (tmp_path / "notes.wav").unlink()
    with pytest.raises(UnreadableError, match="nowhere"):
        make_plan(tmp_path / "nowhere")
    with pytest.raises(NoAudioFilesError, match="got a directory without audio"):
        make_plan(tmp_path)
