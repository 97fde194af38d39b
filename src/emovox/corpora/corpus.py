"""The description of a published corpus: where it is, what may be done with it, how it is named and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from emovox.corpora.layout import ClipRow, Layout

Annotations: TypeAlias = Mapping[str, Mapping[str, str]]
"""What label files say: id → {"native" | "speaker" | "sex" | "sentence": value}."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A published corpus.

    Attributes:
        name: the word used in commands and manifests.
        title: the full name.
        languages: ISO 639-1 codes.
        licence: the licence of the recordings, as published.
        licence_risk: low, medium or high, then why: the risk of shipping weights that were trained on it.
        where: where to get it.
        citation: BibTeX.
        layout: how the files are named.
        labels: native label → one of `TRAINING_CLASSES`, or None for a label that is dropped.
        counts: native label → number of published clips.
        speakers: number of published speakers; None where none is published.
        names: gives the ids of all published clips, where they can be told without the corpus.
        annotate: reads the corpus's label files below a folder; None where the names say everything.
        labels_from_files: whether clips without an entry in the label files have no label.
        duplicates: ids of clips that are known to hold the same samples.
        silent: ids of clips that are known to hold only zeros.
    """

    name: str
    title: str
    languages: tuple[str, ...]
    licence: str
    licence_risk: str
    where: str
    citation: str
    layout: Layout
    labels: Mapping[str, str | None]
    counts: Mapping[str, int]
    speakers: int | None
    names: Callable[[], Iterable[str]] | None = None
    annotate: Callable[[Path], Annotations] | None = None
    labels_from_files: bool = False
    duplicates: tuple[frozenset[str], ...] = ()
    silent: frozenset[str] = frozenset()

    @property
    def clips(self) -> int:
        """Number of published clips."""
        return sum(self.counts.values())

    def parse(self, relative: PurePosixPath) -> ClipRow | None:
        """Read what a file's name says; None when the name is not one of this corpus (see `Layout.parse`)."""
        return self.layout.parse(relative)


def published_names(corpus: str) -> list[str]:
    """Read the words of `names/<corpus>.txt`: file names or parts of them as the corpus publishes them."""
    return (files("emovox.corpora") / "names" / f"{corpus}.txt").read_text(encoding="utf-8").split()
