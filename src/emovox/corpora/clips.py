"""Build clips from labelled files: read every header, and report every file that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from emovox.corpora.layout import ClipRow
from emovox.corpora.manifest import Clip
from emovox.corpora.probe import header
from emovox.schema.errors import AudioError, CorpusError
from emovox.schema.progress import Progress, no_progress, tracked
from emovox.schema.text import some

LabelledFile: TypeAlias = tuple[Path, ClipRow, str | None]
"""(recording, row from its name and label files, mapped label or None)."""


def build_clips(
    corpus: str,
    rows: Sequence[LabelledFile],
    *,
    partial: bool = False,
    progress: Progress = no_progress,
) -> tuple[Clip, ...]:
    """Build clips from labelled files; duration and sample rate are from the headers.

    Args:
        corpus: name of the corpus.
        rows: labelled files; every row must have a native label.
        partial: whether to leave out files whose header cannot be read, instead of an error.
        progress: called after each file.

    Returns:
        The clips, in the order of `rows`.

    Raises:
        CorpusError: a header cannot be read and `partial` is false, or a row has no native label.
        MissingExtraError: a format needs the extra `media`.
    """
    clips, broken = [], []
    for file, row, label in tracked(rows, progress, total=len(rows)):
        try:
            duration, sample_rate = header(file)
        except AudioError as error:
            broken.append(str(error))
            continue
        clips.append(_clip(corpus, file, row, label, duration=duration, sample_rate=sample_rate))
    if broken and not partial:
        raise CorpusError(
            f"{corpus}: {len(broken)} of {len(rows)} recordings cannot be read ({some(broken)}); "
            "replace them, or leave them out with --partial (partial=True)"
        )
    return tuple(clips)


def _clip(corpus: str, file: Path, row: ClipRow, label: str | None, *, duration: float, sample_rate: int) -> Clip:
    if not row.native:
        raise CorpusError(f"{file}: has no label, expected one from its name, its folder or a label file")
    return Clip(
        corpus=corpus,
        id=row.id,
        path=os.path.abspath(file),
        speaker=row.speaker,
        sex=row.sex,
        language=row.language,
        native=row.native,
        label=label,
        sentence=row.sentence,
        extra=row.extra or msgspec.UNSET,
        duration=duration,
        sample_rate=sample_rate,
    )
