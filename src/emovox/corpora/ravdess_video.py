"""RAVDESS, the speech part of the files with picture and sound: the clips of `ravdess`, and the actors' faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from emovox.corpora.ravdess import RAVDESS


def _names() -> Iterator[str]:
    for name in RAVDESS.names() if RAVDESS.names else ():
        yield f"01{name[2:]}"


RAVDESS_VIDEO = replace(
    RAVDESS,
    name="ravdess-video",
    title="Ryerson Audio-Visual Database of Emotional Speech and Song (speech, picture and sound)",
    where="https://zenodo.org/records/1188976: Video_Speech_Actor_01.zip to 24 (02-… have no sound, 01-02-… are songs)",
    example="Video_Speech_Actor_01/Actor_01/01-01-01-01-01-01-01.mp4",
    layout=replace(RAVDESS.layout, pattern=RAVDESS.layout.pattern.replace("03-01-", "01-01-", 1)),
    names=_names,
    duplicates=tuple(frozenset(f"01{name[2:]}" for name in names) for names in RAVDESS.duplicates),
)
