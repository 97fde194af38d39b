"""The tables in docs/corpora.md are those of the registry."""

from __future__ import annotations

from pathlib import Path

from publish.corpora import corpora_table, label_table

DOCS = Path(__file__).parents[2] / "docs" / "corpora.md"


def test_the_page_has_the_tables_of_the_registry() -> None:
    for table in (corpora_table(), label_table()):
        assert table in DOCS.read_text(encoding="utf-8"), "run make results"
