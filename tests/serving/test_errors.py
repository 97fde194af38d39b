"""Codes, statuses and close codes: one table, which the docs repeat."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emovox.schema.errors import EmovoxError
from emovox.serving import workers
from emovox.serving.errors import (
    BusyError,
    CancelledError,
    NotFoundError,
    ServiceError,
    UnauthorisedError,
    close_code_of,
    status_of,
)
from emovox.serving.jobs import Job, JobStore, answer
from emovox.serving.keys import KeyRing

DOCS = Path(__file__).parents[2] / "docs" / "service.md"
UNSEEN = {"cancelled", "worker_lost", "service"}
"""Codes of which no client hears by a status: nobody waits, the job tells, the root."""


def subclasses(kind: type[EmovoxError]) -> set[type[EmovoxError]]:
    return {kind}.union(*(subclasses(below) for below in kind.__subclasses__()))


def test_codes_are_unique() -> None:
    assert workers.WorkersError in subclasses(EmovoxError)
    found = [kind.code for kind in subclasses(ServiceError)]
    assert len(found) >= 15
    assert len(set(found)) == len(found)


def test_the_docs_list_them_with_status_and_close_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}|) ?\| (\d{4}|) ?\|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {code: (status, close) for code, status, close in rows}
    kinds = {kind.code: kind for kind in subclasses(EmovoxError)}
    for kind in subclasses(ServiceError):
        assert kind.code in listed or kind.code in UNSEEN, kind.code
    for code, (status, close) in listed.items():
        assert status in ("", str(status_of(kinds[code]))), code
        assert close in ("", str(close_code_of(kinds[code]))), code


class TestKeyRing:
    def test_open_without_keys(self) -> None:
        KeyRing([]).check(None)

    @pytest.mark.parametrize("key", [None, "", "abc", "correct horse batterY"])
    def test_wrong_keys(self, key: str | None) -> None:
        with pytest.raises(UnauthorisedError, match="Authorization: Bearer KEY"):
            KeyRing(["x" * 16, "correct horse battery"]).check(key)

    def test_any_of_several(self) -> None:
        ring = KeyRing(["x" * 16, "correct horse battery", "ключ от квартиры"])
        for key in ("x" * 16, "correct horse battery", "ключ от квартиры"):
            ring.check(key)

    def test_they_are_not_kept(self) -> None:
        assert b"correct" not in b"".join(KeyRing(["correct horse battery"])._hashes)


class TestJobStore:
    def test_a_job_whose_process_is_gone_has_failed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = JobStore(tmp_path, most=2, seconds=60)
        monkeypatch.setattr("os.getpid", lambda: 2**22 - 3)
        job = store.create()
        monkeypatch.undo()
        told = answer(store.read(job.id))
        assert told["job"]["status"] == "failed"
        assert told["error"].code == "worker_lost"
        store.create()  # the lost one was swept
        store.create()
        with pytest.raises(BusyError, match="2 jobs are waiting, running or kept"):
            store.create()

    def test_one_that_was_deleted_cannot_be_written(self, tmp_path: Path) -> None:
        store = JobStore(tmp_path, most=2, seconds=60)
        job = store.create()
        store.delete(job.id)
        with pytest.raises(CancelledError):
            store.write(Job(job.id, "running", 0.5))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "a" * 100, "x" * 24])
    def test_unknown_names(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(NotFoundError, match="got no job of this name"):
            JobStore(tmp_path, most=2, seconds=60).read(name)
