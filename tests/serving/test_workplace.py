"""The private folder of a running service, and the removal of those of killed ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from emovox.serving.workplace import workplace


def test_only_unlocked_folders_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.kill", _no_process)  # a process of another container cannot be seen
    killed = tmp_path / "emovox-serve-killed"
    (killed / "jobs").mkdir(parents=True)
    foreign = tmp_path / "elsewhere"
    foreign.mkdir()
    (tmp_path / "emovox-serve-link").symlink_to(foreign)
    with workplace() as first:
        assert not killed.exists()
        assert foreign.exists()
        with workplace() as second:
            assert first != second
            assert sorted(path.name for path in first.iterdir()) == ["jobs", "metrics"]
        assert (first.exists(), second.exists()) == (True, False)
    assert not first.exists()


def test_a_signal_during_the_deletion_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    delete, calls = shutil.rmtree, []

    def interrupted(path: Path, **options: Any) -> None:
        """Raise at the first call, as the handler of a second signal does."""
        calls.append(path)
        if len(calls) == 1:
            raise SystemExit(143)
        delete(path, **options)

    monkeypatch.setattr("shutil.rmtree", interrupted)
    with pytest.raises(SystemExit), workplace():
        pass
    assert list(tmp_path.iterdir()) == []


def test_no_thread_writes_into_a_folder_that_is_being_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    delete = shutil.rmtree
    with workplace() as folder:

        def written(path: Path, **options: Any) -> None:
            """Write the state of a job first, as a thread that still works on it does."""
            with pytest.raises(FileNotFoundError):
                (folder / "jobs" / "state.new").write_bytes(b"{}")
            delete(path, **options)

        monkeypatch.setattr("shutil.rmtree", written)
    assert list(tmp_path.iterdir()) == []


def _no_process(number: int, signal: int) -> None:
    raise ProcessLookupError(number, signal)
