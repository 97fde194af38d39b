"""Codes, statuses and close codes: the docs list them in one table."""

from __future__ import annotations

import re
from pathlib import Path

from emovox.schema.errors import EmovoxError
from emovox.serving.errors import (
    ServiceError,
    close_code_of,
    status_of,
)

DOCS = Path(__file__).parents[2] / "docs" / "service-reference.md"
UNSEEN = {"cancelled", "worker_lost", "service"}
"""Codes that no answer has as its status: the client has left, a job reports it, the base class."""


def subclasses(kind: type[EmovoxError]) -> set[type[EmovoxError]]:
    return {kind}.union(*(subclasses(below) for below in kind.__subclasses__()))


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in subclasses(ServiceError)]
    assert len(codes) >= 15
    assert len(set(codes)) == len(codes)


def test_the_docs_list_them_with_status_and_close_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}|) ?\| (\d{4}|) ?\|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {code: (status, close) for code, status, close in rows}
    kinds = {kind.code: kind for kind in subclasses(EmovoxError)}
    for kind in subclasses(ServiceError):
        assert kind.code in listed or kind.code in UNSEEN, kind.code
    for code, (status, close) in listed.items():
        assert status in ("", str(status_of(kinds[code]))), code
        assert close in ("", str(close_code_of(kinds[code]))), code
