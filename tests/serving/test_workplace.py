"""The private folder of a running service, and the removal of those of killed ones."""

from __future__ import annotations

from pathlib import Path

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


def _no_process(number: int, signal: int) -> None:
    raise ProcessLookupError(number, signal)
