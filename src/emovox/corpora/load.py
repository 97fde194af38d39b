"""Clips of several corpora, as commands and recipes name them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from emovox.corpora.manifest import Clip, read_manifest
from emovox.corpora.registry import index, locate
from emovox.schema.errors import ManifestError

MANIFEST_SUFFIX = ".jsonl"


def load_clips(names: Sequence[str], environ: Mapping[str, str] = os.environ) -> tuple[Clip, ...]:
    """Read the clips of published corpora (by name, below `$EMOVOX_CORPORA`) and of manifests (by path).

    Args:
        names: what ends in .jsonl is a manifest, anything else a published corpus.
        environ: where `EMOVOX_CORPORA` is looked up.

    Raises:
        CorpusError: a corpus that is unknown, not found or not complete, a bad manifest, or a clip that comes twice.
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
                f"{clip.corpus} {clip.id}: stands in two of the corpora, expected each clip once; name a corpus once, "
                "and give each manifest a corpus name of its own"
            )
        seen.add(key)
