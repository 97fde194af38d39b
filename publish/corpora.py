"""The tables of docs/corpora.md, from the registry of corpora."""

from __future__ import annotations

from emovox.corpora.registry import CORPORA
from emovox.schema.labels import TRAINING_CLASSES
from publish.tables import table

HEAD = ("name", "language", "clips", "speakers", "layout", "licence", "risk of shipping weights")


def corpora_table() -> str:
    """Return one row a corpus: its size, an example of its file names, and its licence."""
    rows = [
        [
            *(corpus.name, ", ".join(corpus.languages), str(corpus.clips), str(corpus.speakers or "many")),
            *(f"`{corpus.example}`", corpus.licence, corpus.licence_risk.partition(":")[0]),
        ]
        for corpus in CORPORA.values()
    ]
    return table(HEAD, rows)


def label_table() -> str:
    """Return one row a corpus: its labels below the training class that they are mapped to."""
    columns: tuple[str | None, ...] = (*TRAINING_CLASSES, None)
    rows = [
        [name, *(", ".join(native for native, label in corpus.labels.items() if label == one) for one in columns)]
        for name, corpus in CORPORA.items()
    ]
    return table(("name", *TRAINING_CLASSES, "dropped"), rows)
