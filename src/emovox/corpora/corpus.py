"""The description of a published corpus: source, licence, file names, labels and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from emovox.corpora.layout import ClipRow, Layout

Annotations: TypeAlias = Mapping[str, Mapping[str, str]]
"""Content of label files: id → {"native" | "speaker" | "sex" | "sentence": value}."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A published corpus.

    Attributes:
        name: name in commands and manifests.
        title: full name.
        languages: ISO 639-1 codes.
        licence: licence of the recordings, as published.
        licence_risk: risk of shipping weights trained on it: low, medium or high, and the reason.
        where: where to get it.
        citation: BibTeX entry.
        example: path of one of its clips in the published folder.
        layout: naming rule of the files.
        labels: native label → one of `TRAINING_CLASSES`, or None to drop the label.
        counts: native label → number of published clips.
        speakers: number of published speakers; None if it is not published.
        names: returns the ids of all published clips; None if they cannot be derived without the corpus.
        annotate: reads the label files below a folder; None if the file names have all labels.
        labels_from_files: whether clips without an entry in the label files have no label.
        duplicates: sets of ids of clips with the same samples, as published.
        silent: ids of clips with only zeros, as published.
        acted: whether actors show single emotions on demand; reports then say so.
    """

    name: str
    title: str
    languages: tuple[str, ...]
    licence: str
    licence_risk: str
    where: str
    citation: str
    example: str
    layout: Layout
    labels: Mapping[str, str | None]
    counts: Mapping[str, int]
    speakers: int | None
    names: Callable[[], Iterable[str]] | None = None
    annotate: Callable[[Path], Annotations] | None = None
    labels_from_files: bool = False
    duplicates: tuple[frozenset[str], ...] = ()
    silent: frozenset[str] = frozenset()
    acted: bool = True

    @property
    def clips(self) -> int:
        """Number of published clips."""
        return sum(self.counts.values())

    def parse(self, relative: PurePosixPath) -> ClipRow | None:
        """Parse the relative path of a file; None if it is not a clip of this corpus (see `Layout.parse`)."""
        return self.layout.parse(relative)


def published_names(corpus: str) -> list[str]:
    """Return the words of `names/<corpus>.txt`: published file names, or parts of them."""
    return (files("emovox.corpora") / "names" / f"{corpus}.txt").read_text(encoding="utf-8").split()
