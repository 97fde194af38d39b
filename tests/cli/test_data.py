from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from emovox.cli.data import app
from emovox.corpora.manifest import read_manifest
from emovox.corpora.registry import CORPORA
from emovox.schema.errors import CorpusError, ManifestError, UnknownCorpusError

RATE = 8000


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for file in ("awe/Max/a.wav", "awe/Zoë/b.wav", "joy/Max/c.wav"):
        (tmp_path / "mine" / file).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "mine" / file, rng.uniform(-0.1, 0.1, RATE), RATE)
    return tmp_path / "mine"


def test_info_lists_every_corpus_with_language_and_licence() -> None:
    lines = run("info").stdout.splitlines()
    assert lines[0].split() == ["corpus", "language", "clips", "speakers", "licence"]
    for corpus in CORPORA.values():
        (line,) = [line for line in lines if line.startswith(f"{corpus.name} ")]
        assert corpus.licence in line
        assert " ".join(corpus.languages) in line
    assert [line.split()[0] for line in lines[-2:]] == ["table", "folders"]


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_info_says_where_licence_citation_and_labels(name: str) -> None:
    corpus, text = CORPORA[name], run("info", name).stdout
    for wanted in (corpus.where, corpus.licence, corpus.licence_risk, corpus.citation, *corpus.labels):
        assert wanted in text
    facts = json.loads(run("info", name, "--format", "json").stdout)
    assert (facts["clips"], facts["citation"]) == (corpus.clips, corpus.citation)
    assert {row["native"]: row["label"] for row in facts["labels"]} == corpus.labels


def test_info_as_json_and_of_generic_ones() -> None:
    assert [facts["name"] for facts in json.loads(run("info", "--format", "json").stdout)] == list(CORPORA)
    assert (
        run("info", "table").stdout
        == "table: your own recordings in a CSV table: path,label,speaker[,sex,language,sentence]\n"
    )


def test_index_to_stdout_and_to_a_file(mine: Path, tmp_path: Path) -> None:
    lines = run("index", "folders", mine).stdout.splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["awe", "awe", "joy"]
    written = run("index", "folders", mine, "--map", "awe=surprise", "--map", "joy=", "--output", tmp_path / "m.jsonl")
    assert written.stdout == ""
    assert "3 clips, 1 of them with a dropped label" in written.stderr
    clips = read_manifest(tmp_path / "m.jsonl")
    assert [(clip.label, clip.speaker, clip.duration) for clip in clips] == [
        ("surprise", "Max", 1.0),
        ("surprise", "Zoë", 1.0),
        (None, "Max", 1.0),
    ]
    assert (
        json.loads((tmp_path / "m.jsonl").read_text(encoding="utf-8").splitlines()[0])["path"] == "mine/awe/Max/a.wav"
    )


def test_verify_says_ok(mine: Path) -> None:
    result = run("verify", "folders", mine)
    assert result.exit_code == 0
    assert result.stdout == (
        "mine: 3 clips, 2 speakers\n\n"
        "native label  label  found  published\n"
        "awe           awe    2      ?\n"
        "joy           joy    1      ?\n\n"
        "ok\n"
    )


def test_verify_names_what_is_wrong(mine: Path, tmp_path: Path) -> None:
    (mine / "joy" / "Max" / "d.wav").write_bytes((mine / "joy" / "Max" / "c.wav").read_bytes())
    (mine / "joy" / "Max" / "e.wav").write_text("not audio")
    (mine / "awe" / "Zoë" / "f.wav").write_bytes((mine / "awe" / "Max" / "a.wav").read_bytes())
    result = run("verify", "folders", mine)
    assert result.exit_code == 1
    assert "undecodable: 1\n" in result.stdout
    assert "duplicated: 2\n  awe/Max/a.wav = awe/Zoë/f.wav\n  joy/Max/c.wav = joy/Max/d.wav" in result.stdout
    assert (
        "contradictory: 1\n  awe/Max/a.wav, awe/Zoë/f.wav: the same samples, with the speakers Max and Zoë"
        in result.stdout
    )
    assert result.stdout.endswith("\nnot ok\n")
    report = json.loads(run("verify", "folders", mine, "--format", "json").stdout)
    assert not report["ok"]
    assert len(report["duplicates"]) == 2


def test_missing_files_are_an_error_unless_partial(tmp_path: Path) -> None:
    (tmp_path / "Actor_01").mkdir()
    soundfile.write(tmp_path / "Actor_01" / "03-01-01-01-01-01-01.wav", np.full(RATE, 0.1), RATE)
    result = run("verify", "ravdess", tmp_path)
    assert result.exit_code == 1
    assert "missing: 1439\n  03-01-01-01-01-01-02\n" in result.stdout
    assert "… and 1419 more (--format json shows all)" in result.stdout
    assert run("verify", "ravdess", tmp_path, "--partial").exit_code == 0
    assert isinstance(run("index", "ravdess", tmp_path).exception, CorpusError)
    assert len(run("index", "ravdess", tmp_path, "--partial").stdout.splitlines()) == 1


def test_manifest_in_place_of_a_corpus(mine: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    run("index", "folders", mine, "--output", manifest)
    assert run("verify", manifest).exit_code == 0
    assert json.loads(run("stats", manifest, "--format", "json").stdout)["clips"] == 3
    assert "got a manifest with a folder or --map" in str(run("stats", manifest, "--map", "awe=x").exception)
    (mine / "joy" / "Max" / "c.wav").unlink()
    assert isinstance(run("verify", manifest).exception, ManifestError)


def test_manifest_is_not_written_over_a_recording_or_a_table(mine: Path) -> None:
    clip = next(mine.rglob("*.wav"))
    before = clip.read_bytes()
    result = run("index", "folders", mine, "--output", clip)
    assert result.exit_code == 2
    assert "expected a name that ends in .jsonl" in result.stderr
    assert clip.read_bytes() == before


def test_stats_table(mine: Path) -> None:
    text = run("stats", "folders", mine).stdout
    assert text.startswith("mine: 3 clips, 2 speakers, 0.00 hours\n\nlabel  clips  (unknown)  hours  mean level\n")
    assert "Max      1    1\n" in text
    assert "sample rate  8000 Hz (3 clips)" in text


def test_published_corpus_is_found_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "urdu" / "Sad").mkdir(parents=True)
    soundfile.write(tmp_path / "urdu" / "Sad" / "SM1_F1_S01.wav", np.full(RATE, 0.1), RATE)
    monkeypatch.setenv("EMOVOX_CORPORA", str(tmp_path))
    assert '"speaker":"SM1"' in run("index", "urdu", "--partial").stdout
    monkeypatch.delenv("EMOVOX_CORPORA")
    assert "EMOVOX_CORPORA is not set" in str(run("index", "urdu").exception)


def test_what_is_missing_on_the_command_line() -> None:
    assert "table: no path given, expected the CSV file" in str(run("index", "table").exception)
    assert "folders: no path given, expected the folder" in str(run("stats", "folders").exception)
    assert isinstance(run("info", "nothing").exception, UnknownCorpusError)
    assert run("index").exit_code == 2
