from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emovox.corpora.manifest import Clip, read_manifest, write_manifest
from emovox.schema.errors import ConfigError, ManifestError
from tests.corpora.trees import WriteClip

ROW: dict[str, Any] = {
    "corpus": "mine",
    "id": "a",
    "path": "a.wav",
    "native": "joy",
    "label": "happy",
    "duration": 1.0,
    "sample_rate": 8000,
}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "manifest.jsonl"


def write_rows(manifest: Path, *rows: dict[str, Any]) -> None:
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_folder_can_be_moved(tmp_path: Path, write_clip: WriteClip) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    inside, outside = write_clip(here / "wav" / "ä.wav"), write_clip(tmp_path / "outside.wav")
    rows = [Clip(**ROW | {"id": str(path), "path": str(path)}) for path in (inside, outside)]
    write_manifest(rows, here / "manifest.jsonl")
    here.rename(there)
    read = read_manifest(there / "manifest.jsonl")
    assert [clip.path for clip in read] == [str(there / "wav" / "ä.wav"), str(outside)]
    assert not list(there.glob("*.part"))


def test_optional_fields_default_to_unknown(manifest: Path) -> None:
    write_rows(manifest, {key: value for key, value in ROW.items() if key != "label"})
    (clip,) = read_manifest(manifest, check_files=False)
    assert (clip.speaker, clip.sex, clip.language, clip.label, clip.sentence) == (None,) * 5


def test_blank_lines_are_no_rows_but_count(manifest: Path) -> None:
    manifest.write_text(f"\n{json.dumps(ROW)}\n\n{{}}\n", encoding="utf-8")
    with pytest.raises(ManifestError, match="line 4: Object missing required field `corpus`"):
        read_manifest(manifest, check_files=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"duration": "long"}, r"Expected `float`, got `str` - at `\$.duration`"),
        ({"sex": "f"}, r"Invalid enum value 'f' - at `\$.sex`"),
        ({"emotion": "joy"}, "unknown field `emotion`"),
        ({"native": ""}, "the field 'native' is empty"),
        ({"path": ""}, "the field 'path' is empty"),
        ({"label": ""}, "the field 'label' is empty, expected a name, or null"),
        ({"duration": -1.0}, "the fields 'duration' and 'sample_rate' are -1.0 s and 8000 Hz"),
        ({"sample_rate": 0}, "are 1.0 s and 0 Hz, expected at least 0 s and 1 Hz"),
    ],
)
def test_bad_field(manifest: Path, change: dict[str, Any], message: str) -> None:
    write_rows(manifest, ROW, ROW | {"id": "b"} | change)
    with pytest.raises(ManifestError, match=f"manifest.jsonl, line 2: .*{message}"):
        read_manifest(manifest, check_files=False)


def test_all_bad_lines_are_named_at_once(manifest: Path) -> None:
    manifest.write_text(f"{{\n{json.dumps(ROW)}\n[]\n", encoding="utf-8")
    with pytest.raises(ManifestError, match=r"line 1: .*; line 3: "):
        read_manifest(manifest)


@pytest.mark.parametrize("corpus", ["../../etc", "a/b", "a\\b", "a\nb", "x" * 101])
def test_a_corpus_is_no_path(manifest: Path, corpus: str) -> None:
    write_rows(manifest, ROW | {"corpus": corpus})
    with pytest.raises(ManifestError, match=r"(?s)line 1: .*'corpus' is .*expected a name of one line, without /"):
        read_manifest(manifest)


def test_line_that_is_not_json(manifest: Path) -> None:
    manifest.write_text(json.dumps(ROW) + "\npath,label\n", encoding="utf-8")
    with pytest.raises(ManifestError, match=r"line 2: JSON is malformed.*expected the fields"):
        read_manifest(manifest, check_files=False)


def test_line_that_is_not_utf8(manifest: Path) -> None:
    manifest.write_bytes(b'{"corpus": "\xff"}')
    with pytest.raises(ManifestError, match=r"line 1: .*utf-8.*expected the fields"):
        read_manifest(manifest)


def test_same_clip_twice(manifest: Path) -> None:
    write_rows(manifest, ROW, ROW | {"corpus": "yours"}, ROW)
    with pytest.raises(ManifestError, match="line 3: the field 'id' is a of mine, which line 1 has already"):
        read_manifest(manifest, check_files=False)


def test_missing_recordings_are_counted_and_named(manifest: Path, tmp_path: Path, write_clip: WriteClip) -> None:
    write_clip(tmp_path / "a.wav")
    write_rows(manifest, ROW, *(ROW | {"id": f"{n}", "path": f"{n}.wav"} for n in range(7)))
    with pytest.raises(
        ManifestError, match=r"'path' of 7 of 8 rows names no file \(line 2: .*0\.wav, .*, and 2 more\)"
    ):
        read_manifest(manifest)
    assert len(read_manifest(manifest, check_files=False)) == 8


def test_no_manifest(tmp_path: Path, manifest: Path) -> None:
    with pytest.raises(ManifestError, match=r"cannot be read.*emovox data index"):
        read_manifest(tmp_path / "nothing.jsonl")
    manifest.write_text("\n")
    with pytest.raises(ManifestError, match="has no rows"):
        read_manifest(manifest)


def test_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_manifest([], tmp_path / "file" / "manifest.jsonl")


def test_stopped_run_leaves_the_old_manifest(manifest: Path) -> None:
    write_manifest([Clip(**ROW)], manifest)
    before = manifest.read_bytes()

    def broken() -> Any:
        yield Clip(**ROW)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_manifest(broken(), manifest)
    assert manifest.read_bytes() == before
