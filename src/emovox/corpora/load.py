"""Load the clips of corpora by the names in commands and recipes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from emovox.corpora.manifest import Clip, read_manifest
from emovox.corpora.registry import index, locate
from emovox.schema.errors import ManifestError

MANIFEST_SUFFIX = ".jsonl"
"""Suffix that tells a manifest from the name of a published corpus."""


def load_clips(names: Sequence[str], environ: Mapping[str, str] = os.environ) -> tuple[Clip, ...]:
    """Return the clips of published corpora (by name, below `$EMOVOX_CORPORA`) and of manifests (by path).

    Args:
        names: paths of manifests, which end in .jsonl, and names of published corpora.
        environ: environment with `EMOVOX_CORPORA`.

    Raises:
        CorpusError: a corpus is unknown, missing or incomplete; a manifest is malformed; or a clip appears twice.
    """
    clips: list[Clip] = []
    for name in names:
        clips += read_manifest(name) if name.endswith(MANIFEST_SUFFIX) else index(name, locate(name, environ))
    _check_unique(clips)
    return tuple(clips)


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
