"""The tables in docs/corpora.md are those of the code."""

from __future__ import annotations

from pathlib import Path

from emovox.corpora.registry import CORPORA
from emovox.schema.labels import TRAINING_CLASSES
from tests.corpora.trees import TREES

DOCS = Path(__file__).parents[2] / "docs" / "corpora.md"


def corpora_table() -> str:
    """One row a corpus, with the first file of its small tree as the layout."""
    lines = ["| name | language | clips | speakers | layout | licence | risk of shipping weights |", "|" + "---|" * 7]
    for corpus in CORPORA.values():
        risk = corpus.licence_risk.partition(":")[0]
        cells = [
            corpus.name,
            ", ".join(corpus.languages),
            str(corpus.clips),
            str(corpus.speakers or "many"),
            f"`{TREES[corpus.name][0]}`",
            corpus.licence,
            risk,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def label_table() -> str:
    """One row a corpus: its own labels below the training class that they are mapped to."""
    classes: list[str | None] = [*TRAINING_CLASSES, None]
    lines = [f"| name | {' | '.join(TRAINING_CLASSES)} | dropped |", "|" + "---|" * (len(classes) + 1)]
    for corpus in CORPORA.values():
        cells = [", ".join(native for native, label in corpus.labels.items() if label == name) for name in classes]
        lines.append(f"| {corpus.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_table_of_corpora() -> None:
    assert corpora_table() in DOCS.read_text(encoding="utf-8")


def test_table_of_labels() -> None:
    assert label_table() in DOCS.read_text(encoding="utf-8")
