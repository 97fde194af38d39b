"""Load the clips of corpora by the names in commands and recipes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from emovox.corpora.manifest import Clip, read_manifest
from emovox.corpora.registry import CORPORA, SPEAKER_CORPORA, index, locate
from emovox.schema.errors import ManifestError

MANIFEST_SUFFIX = ".jsonl"
"""Suffix that tells a manifest from the name of a published corpus."""


TABLE_SUFFIXES = (".csv", ".tsv")
"""Suffixes of a table of the user's recordings."""


def load_clips(names: Sequence[str], environ: Mapping[str, str] = os.environ, *, name: str = "") -> tuple[Clip, ...]:
    """Return the clips of published corpora (by name, below `$EMOVOX_CORPORA`) and of the user's recordings (by path).

    Args:
        names: names of published corpora, and paths of manifests (.jsonl), tables (.csv, .tsv) and folders.
        environ: environment with `EMOVOX_CORPORA`.
        name: name of the corpus of the user's recordings. Default: that of the file or folder.

    Raises:
        CorpusError: a corpus is unknown, missing or incomplete; a manifest is malformed; or a clip appears twice.
    """
    clips: list[Clip] = []
    for source in names:
        found = _load(source, environ)
        renamed = bool(name) and source not in {**CORPORA, **SPEAKER_CORPORA}
        clips += [msgspec.structs.replace(clip, corpus=name) for clip in found] if renamed else found
    _check_unique(clips)
    return tuple(clips)


def _load(source: str, environ: Mapping[str, str]) -> tuple[Clip, ...]:
    if source.endswith(MANIFEST_SUFFIX):
        return read_manifest(source)
    if source.lower().endswith(TABLE_SUFFIXES):
        return index("table", Path(source))
    if source not in {**CORPORA, **SPEAKER_CORPORA} and os.path.isdir(source):
        return index("folders", Path(source))
    return index(source, locate(source, environ))


def _check_unique(clips: Sequence[Clip]) -> None:
    seen: set[tuple[str, str]] = set()
    for clip in clips:
        key = (clip.corpus, clip.id)
        if key in seen:
            raise ManifestError(
                f"{clip.corpus} {clip.id}: is in two of the corpora, expected each clip once; name a corpus once, "
                "and give each manifest a different corpus name"
            )
        seen.add(key)
