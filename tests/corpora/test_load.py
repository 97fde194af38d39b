"""Clips of several corpora by name and by manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from emovox.corpora.load import load_clips
from emovox.corpora.manifest import Clip, write_manifest
from emovox.schema.errors import CorpusError, ManifestError, UnknownCorpusError


def write(folder: Path, corpus: str, *, ids: tuple[str, ...] = ("a", "b")) -> str:
    clips = []
    for name in ids:
        (folder / f"{name}.wav").touch()
        path = str(folder / f"{name}.wav")
        clips.append(
            Clip(corpus=corpus, id=name, path=path, native="joy", label="happy", duration=1, sample_rate=16000)
        )
    write_manifest(clips, folder / f"{corpus}.jsonl")
    return str(folder / f"{corpus}.jsonl")


def test_manifests_come_one_after_another(tmp_path: Path) -> None:
    clips = load_clips([write(tmp_path, "one"), write(tmp_path, "two")], {})
    assert [(clip.corpus, clip.id) for clip in clips] == [("one", "a"), ("one", "b"), ("two", "a"), ("two", "b")]


def test_a_clip_that_comes_twice_is_refused(tmp_path: Path) -> None:
    manifest = write(tmp_path, "one")
    with pytest.raises(ManifestError, match="one a: is in two of the corpora, expected each clip once"):
        load_clips([manifest, manifest], {})


def test_a_name_without_the_variable_says_what_to_set() -> None:
    with pytest.raises(CorpusError, match="EMOVOX_CORPORA"):
        load_clips(["emodb"], {})


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownCorpusError, match="nosuch"):
        load_clips(["nosuch"], {"EMOVOX_CORPORA": str(tmp_path)})
