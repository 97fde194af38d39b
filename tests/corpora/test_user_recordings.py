"""User recordings: tables, folders, label maps."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from emovox.corpora.label_map import read_label_map
from emovox.corpora.registry import index
from emovox.corpora.verify import verify
from emovox.schema.errors import CorpusError, ManifestError, NoAudioFilesError
from tests.corpora.trees import WriteClip


@pytest.fixture
def voices(tmp_path: Path, write_clip: WriteClip) -> Path:
    for seed, file in enumerate(("a.wav", "deep/b.wav", "c.wav")):
        write_clip(tmp_path / "voices" / file, seed=seed)
    return tmp_path / "voices"


def write_table(folder: Path, text: str, name: str = "clips.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_table_keeps_own_labels(voices: Path) -> None:
    table = write_table(
        voices,
        "path,label,speaker,sex,language,sentence\n"
        "a.wav,hangry,Zoë,female,fr,1\n"
        "deep/b.wav,hangry,Max,,,\n"
        f"{voices}/c.wav,awe,,,,\n",
    )
    clips = index("table", table)
    assert [(c.corpus, c.native, c.label, c.speaker, c.sex, c.language, c.sentence) for c in clips] == [
        ("clips", "hangry", "hangry", "Zoë", "female", "fr", "1"),
        ("clips", "hangry", "hangry", "Max", None, None, None),
        ("clips", "awe", "awe", None, None, None, None),
    ]
    assert [Path(clip.path) for clip in clips] == [voices / "a.wav", voices / "deep" / "b.wav", voices / "c.wav"]


@pytest.mark.parametrize(
    ("separator", "head"), [(";", ""), ("\t", ""), (",", "\ufeff")], ids=["semicolon", "tab", "byte order mark"]
)
def test_tables_of_spreadsheets(voices: Path, separator: str, head: str) -> None:
    lines = [["speaker", "label", "path"], ["Max", "joy", "a.wav"]]
    table = write_table(voices, head + "\r\n".join(separator.join(line) for line in lines))
    (clip,) = index("table", table, labels={"joy": "happy"})
    assert (clip.speaker, clip.native, clip.label) == ("Max", "joy", "happy")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.wav,joy\n", "line 1: got the columns file, label; expected path, label"),
        (
            "path,label,speeker\na.wav,joy,x\n",
            "line 1: got the columns path, label, speeker \\('speeker' for 'speaker'",
        ),
        ("path,label,Label\na.wav,joy,x\n", "line 1: got the columns path, label, Label \\(label twice\\)"),
        (
            "path,label,speaker\na.wav,glad, excited,ana\n",
            "line 2: got 4 cells, expected 3; put a text with a separator",
        ),
        ('path,label\na.wav,"joy\nc.wav,awe\n', "line 3: not valid CSV"),
        ("path,label\na.wav,\n", "line 2: the column 'label' is empty"),
        ("path,label\na.wav,joy\n,joy\n", "line 3: the column 'path' is empty"),
        ("path,label\nx.wav,joy\n", "line 2: the column 'path' names .*x.wav, which is not a file"),
        ("path,label,sex\na.wav,joy,w\n", "line 2: .*expected male, female or nothing in the column 'sex'"),
        ("path,label\na.wav,joy\na.wav,joy\n", "names a.wav twice"),
        ("path,label\n", "has no rows below the header"),
        ("", r"got the columns \(none\)"),
    ],
)
def test_bad_table(voices: Path, text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=rf"clips.csv.*{message}"):
        index("table", write_table(voices, text))


def test_all_bad_lines_are_named_at_once(voices: Path) -> None:
    lines = ["path,label,sex", "a.wav,joy,x", "a.wav,", "c.wav,joy", "c.wav,joy", "no.wav,joy", *["a.wav"] * 60]
    with pytest.raises(ManifestError) as caught:
        index("table", write_table(voices, "\n".join(lines)))
    assert all(f"line {number}: " in str(caught.value) for number in (2, 3, 5, 6, 7, 50))
    assert "line 4: " not in str(caught.value)
    assert str(caught.value).endswith("; and lines 53-66")


def test_all_unknown_labels_are_named_at_once(voices: Path) -> None:
    table = write_table(voices, "path,label\na.wav,awe\nc.wav,joy\ndeep/b.wav,dread\n")
    with pytest.raises(CorpusError, match=r"line 2: got the label 'awe'.*line 4: .*'dread'.*'awe=…' --map 'dread=…'"):
        index("table", table, labels={"joy": "happy"})


@pytest.mark.skipif(sys.platform == "win32", reason="backslashes separate folders there")
def test_tables_are_understood_where_their_meaning_is_plain(voices: Path) -> None:
    lines = [
        "sep=;",
        "Path;LABEL ;Sex;;Mood",
        "deep\\b.wav; joy ;F;;",
        "",
        ";;;;",
        "a.wav;joy;Male;;wild;;",
        "c.wav;joy",
    ]
    clips = index("table", write_table(voices, "\r\n".join(lines)))
    assert [(c.id, c.native, c.sex, c.extra or {}) for c in clips] == [
        ("deep/b.wav", "joy", "female", {}),
        ("a.wav", "joy", "male", {"Mood": "wild"}),
        ("c.wav", "joy", None, {}),
    ]


def test_names_that_look_alike_are_one(voices: Path) -> None:
    table = write_table(voices, "path,label,speaker\na.wav,joy,Zo\u00eb\nc.wav,joy\u00a0,Zoe\u0308 \n")
    assert {(clip.speaker, clip.label) for clip in index("table", table, labels={"joy": "happy"})} == {("Zoë", "happy")}


def test_names_that_differ_in_case_are_a_finding(voices: Path) -> None:
    table = write_table(voices, "path,label,speaker\na.wav,joy,ana\nc.wav,Joy,Ana\n")
    report = verify("table", table)
    assert [problem.what for problem in report.contradictions] == ["Ana, ana", "Joy, joy"]
    assert not report.ok
    report = verify("table", table, labels={"joy": "happy", "Joy": "happy"})
    assert [problem.what for problem in report.contradictions] == ["Ana, ana"]


def test_partial_table(voices: Path) -> None:
    table = write_table(voices, "path,label\na.wav,joy\nno.wav,joy\n")
    with pytest.raises(ManifestError, match=r"line 3: .*no\.wav, which is not a file.*--partial"):
        index("table", table)
    assert [clip.id for clip in index("table", table, partial=True)] == ["a.wav"]
    assert verify("table", table).missing == ("line 3: no.wav",)
    assert not verify("table", table).ok
    assert verify("table", table, partial=True).ok


def test_composed_and_decomposed_file_names(voices: Path, write_clip: WriteClip) -> None:
    write_clip(voices / "Zoe\u0308.wav", seed=9)
    (clip,) = index("table", write_table(voices, "path,label\nZo\u00eb.wav,joy\n"))
    assert Path(clip.path).is_file()


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"cannot be read .*expected a CSV table"):
        index("table", tmp_path / "none.csv")


def test_folders_tell_label_and_speaker(tmp_path: Path, write_clip: WriteClip) -> None:
    for file in ("awe/x.wav", "awe/Max/x.wav", "joy/Zoë/monday/x.wav"):
        write_clip(tmp_path / "mine" / file)
    clips = index("folders", tmp_path / "mine")
    assert [(c.corpus, c.id, c.label, c.speaker) for c in clips] == [
        ("mine", "awe/Max/x.wav", "awe", "Max"),
        ("mine", "awe/x.wav", "awe", None),
        ("mine", "joy/Zoë/monday/x.wav", "joy", "Zoë"),
    ]


def test_label_map_must_know_every_label(tmp_path: Path, write_clip: WriteClip) -> None:
    for file in ("awe/x.wav", "joy/x.wav", "noise/x.wav"):
        write_clip(tmp_path / file)
    with pytest.raises(CorpusError, match=r"got the label 'awe', expected one of joy, noise; add --map 'awe=…'"):
        index("folders", tmp_path, labels={"joy": "happy", "noise": None})
    clips = index("folders", tmp_path, labels={"joy": "happy", "noise": None, "awe": "surprise"})
    assert [(clip.native, clip.label) for clip in clips] == [("awe", "surprise"), ("joy", "happy"), ("noise", None)]


def test_recording_outside_the_label_folders(tmp_path: Path, write_clip: WriteClip) -> None:
    write_clip(tmp_path / "x.wav")
    with pytest.raises(CorpusError, match=r"is not in a label folder, expected <label>/x\.wav"):
        index("folders", tmp_path)


def test_folders_without_audio(tmp_path: Path) -> None:
    (tmp_path / "joy").mkdir()
    (tmp_path / "joy" / "notes.txt").write_text("nothing here")
    with pytest.raises(NoAudioFilesError, match="directory without audio"):
        index("folders", tmp_path)


def test_own_folder_does_not_pass_for_a_published_corpus(tmp_path: Path, write_clip: WriteClip) -> None:
    write_clip(tmp_path / "ravdess" / "joy" / "x.wav")
    (clip,) = index("folders", tmp_path / "ravdess")
    assert clip.corpus == "ravdess-own"


def test_unreadable_recording(tmp_path: Path, write_clip: WriteClip) -> None:
    write_clip(tmp_path / "joy" / "x.wav")
    (tmp_path / "joy" / "text.wav").write_text("not audio")
    with pytest.raises(CorpusError, match=r"1 of 2 recordings cannot be read .*text\.wav.*--partial"):
        index("folders", tmp_path)
    assert len(index("folders", tmp_path, partial=True)) == 1
    report = verify("folders", tmp_path, partial=True)
    assert [Path(problem.what).name for problem in report.undecodable] == ["text.wav"]
    assert "bytes that are not audio" in report.undecodable[0].problem
    assert not report.ok


def test_label_map_files(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('joy = "happy"\nunclear = ""\n')
    (tmp_path / "map.json").write_text(json.dumps({"anger": "angry", "other": None}))
    labels = read_label_map([str(tmp_path / "map.toml"), str(tmp_path / "map.json"), "joy=glad"])
    assert labels == {"joy": "glad", "unclear": None, "anger": "angry", "other": None}


@pytest.mark.parametrize("item", ["joy", "=happy", "nothing.toml", "list.json", "broken.toml"])
def test_bad_label_map(item: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.json").write_text('["joy"]')
    Path("broken.toml").write_text("joy = happy")
    with pytest.raises(CorpusError, match=r"label map.*expected native=label"):
        read_label_map([item])


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="needs file names of any bytes")
def test_file_names_of_any_kind(voices: Path) -> None:
    (voices / "c.wav").rename(voices / "new\nline.wav")
    table = write_table(voices, 'path,label\n"new\nline.wav",joy\na.wav,awe\n')
    assert [Path(clip.path).name for clip in index("table", table)] == ["new\nline.wav", "a.wav"]
    (voices / "a.wav").rename(voices / "deep" / os.fsdecode(b"\xff.wav"))
    (voices / "new\nline.wav").rename(voices / "deep" / "c.wav")
    with pytest.raises(CorpusError, match=r"got the file name deep/\\xff\.wav, expected UTF-8; rename"):
        index("folders", voices)


@pytest.mark.parametrize("name", ["x" * 5000, "a.wav" + "y" * 200_000])
def test_table_with_endless_cells(voices: Path, name: str) -> None:
    with pytest.raises(ManifestError, match=r"clips\.csv, line \d: (the column 'path' names|not valid CSV)"):
        index("table", write_table(voices, f"path,label\n{name},joy\n"))


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "9" * 5000, '{"joy": 1}', "\ud800"])
def test_label_maps_that_are_none(tmp_path: Path, text: str) -> None:
    for suffix, content in ((".json", text), (".toml", f"x = {text}")):
        path = tmp_path / f"map{suffix}"
        path.write_bytes(content.encode("utf-8", "surrogatepass"))
        with pytest.raises(CorpusError, match=f"label map .*map\\{suffix}: .*expected native=label"):
            read_label_map([str(path)])
