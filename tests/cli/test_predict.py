from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from emovox.audio.types import AudioInput, Samples
from emovox.cli.main import main
from emovox.runtime.predictor import Predictor, load
from emovox.schema.labels import EMOTIONS
from emovox.schema.result import Result
from emovox.schema.trust import CardSets, CardTrust
from emovox.testing import RATE, change_card, speech, write_toy
from tests.commands import command
from tests.sounds import said


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model and a few recordings."""
    write_toy(tmp_path)
    save(tmp_path / "a.wav", talk())
    save(tmp_path / "stereo.flac", np.stack([talk(), np.roll(talk(), RATE)]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def talk() -> Samples:
    return np.concatenate([speech(120.0, seconds=2.5), speech(1, seconds=1.5, level=0), speech(350.0, seconds=2.0)])


def save(path: Path, samples: Samples) -> Path:
    soundfile.write(path, samples.T, RATE)
    return path


emovox = partial(command, "predict", "--model", "toy.onnx")


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    document = json.loads(capsys.readouterr().out)
    assert document["model"] == {"name": "toy", "version": "1.2.0"}
    found: list[dict[str, Any]] = document["results"]
    return found


def test_json_is_the_documented_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("a.wav", "--format", "json")
    (row,) = rows(capsys)
    expected = load("toy.onnx").predict("a.wav")
    assert list(row) == ["file", "duration", "label", "confidence", "scores", "shares", "warnings", "segments"]
    assert (row["file"], row["duration"], row["label"]) == ("a.wav", 6.0, expected.label)
    assert row["scores"] == {label: round(value, 4) for label, value in (expected.scores or {}).items()}
    assert list(row["scores"]) == list(EMOTIONS)
    first = row["segments"][0]
    assert list(first) == ["start", "end", "channel", "label", "confidence", "scores"]
    assert [s["start"] for s in row["segments"]] == [s.start for s in expected.segments]


def bad_files(folder: Path) -> dict[str, str]:
    """One bad file of every kind, with the code that its row must have."""
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("this is text")
    save(folder / "zero.wav", np.zeros(0, np.float32))
    broken = talk()
    broken[5] = np.nan
    soundfile.write(folder / "nan.wav", broken, RATE, subtype="FLOAT")
    broken[5] = np.inf
    soundfile.write(folder / "inf.wav", broken, RATE, subtype="FLOAT")
    (folder / "bare").mkdir()
    return {
        "empty.wav": "empty",
        "text.wav": "undecodable",
        "zero.wav": "empty",
        "nan.wav": "non_finite",
        "inf.wav": "non_finite",
        "bare": "no_audio_files",
        "gone.wav": "unreadable",
    }


def test_bad_files_are_rows_and_the_others_are_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = bad_files(folder)
    emovox("a.wav", *bad, "stereo.flac", "--format", "json", status=1)
    good, *errors, last = rows(capsys)
    assert (good["file"], last["file"]) == ("a.wav", "stereo.flac")
    assert {row["file"]: row["error"]["code"] for row in errors} == bad
    assert all(row["error"]["message"].startswith(f"{row['file']}: ") for row in errors)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_file_that_cannot_be_opened_is_a_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A link to itself: root, who may read any file, cannot open it either.
    (folder / "loop.wav").symlink_to("loop.wav")
    emovox("loop.wav", "--format", "json", status=1)
    assert rows(capsys)[0]["error"]["code"] == "unreadable"


def warned_files(folder: Path) -> dict[str, list[str]]:
    save(folder / "short.wav", speech(150.0, seconds=0.01))
    save(folder / "silent.wav", np.zeros(2 * RATE, np.float32))
    save(folder / "loud.wav", np.clip(20 * talk(), -1, 1))
    whole = save(folder / "cut.flac", np.tile(talk(), 3)).read_bytes()
    (folder / "cut.flac").write_bytes(whole[: len(whole) * 2 // 3])
    return {
        "short.wav": ["too_short"],
        "silent.wav": ["no_speech"],
        "loud.wav": ["clipped"],
        "cut.flac": ["truncated"],
    }


def test_bearable_files_are_rows_with_warnings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warned = warned_files(folder)
    emovox(*warned, "--format", "json")
    found = {row["file"]: [notice["code"] for notice in row["warnings"]] for row in rows(capsys)}
    assert found == warned


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (96000, 1), (44100, 6)])
def test_other_rates_and_channels_are_plain_success(
    folder: Path, capsys: pytest.CaptureFixture[str], rate: int, channels: int
) -> None:
    import soxr

    name = f"Ünïcode 录音 {rate}.wav"
    soundfile.write(folder / name, np.tile(soxr.resample(talk(), RATE, rate)[:, None], (1, channels)), rate)
    emovox(name, "--format", "json")
    (row,) = rows(capsys)
    assert (row["file"], row["warnings"]) == (name, [])
    assert row["label"] in EMOTIONS


def test_a_directory_stands_for_its_recordings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "calls" / "deep").mkdir(parents=True)
    save(folder / "calls" / "b.wav", talk())
    save(folder / "calls" / "deep" / "c.wav", talk())
    (folder / "calls" / "notes.txt").write_text("x")
    emovox("calls", "--format", "json")
    assert [row["file"] for row in rows(capsys)] == ["calls/b.wav", "calls/deep/c.wav"]


def test_standard_input_is_a_recording(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO((folder / "a.wav").read_bytes())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=buffer))
    emovox("-", "a.wav", "--format", "json")
    piped, named = rows(capsys)
    assert piped["segments"] == named["segments"]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    emovox("-", "--format", "json", status=1)
    assert rows(capsys)[0]["error"]["code"] == "empty"


def test_csv_has_a_line_a_segment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("a.wav", "gone.wav", "--format", "csv", status=1)
    file, *segments, error = csv.DictReader(io.StringIO(capsys.readouterr().out))
    result = load("toy.onnx").predict("a.wav")
    assert (file["row"], file["label"]) == ("file", result.label)
    assert [float(line["start"]) for line in segments] == [s.start for s in result.segments]
    assert [line["label"] for line in segments] == [s.label for s in result.segments]
    assert (error["file"], error["error"][:11]) == ("gone.wav", "unreadable:")


def test_csv_lines_come_as_they_are_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    analysed: list[int] = []
    original = Predictor.predict

    def predict(self: Predictor, source: AudioInput, **options: Any) -> Result:
        analysed.append(len(written))
        return original(self, source, **options)

    monkeypatch.setattr(Predictor, "predict", predict)
    monkeypatch.setattr("typer.echo", lambda text, **_: written.append(text))
    emovox("a.wav", "a.wav", "a.wav", "--format", "csv")
    assert analysed == [1, 2, 3]


def test_table_is_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(folder / "silent.wav", np.zeros(2 * RATE, np.float32))
    emovox("a.wav", "silent.wav", "gone.wav", "--channels", "split", status=1)
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    result = load("toy.onnx").predict("a.wav")
    assert lines[0].startswith(f"a.wav  6.00 s  {result.label} {result.confidence:.2f}  (")
    starts = [line.split()[0] for line in lines[1 : 1 + len(result.segments)]]
    assert starts == [f"{segment.start:.2f}" for segment in result.segments]
    assert lines[-3:-1] == [
        "silent.wav  2.00 s  no label",
        "  warning: no speech found in 2.0 s; nothing was scored",
    ]
    assert lines[-1].startswith("gone.wav  error  got no such file")
    assert captured.err == "1 of 3 could not be analysed\n"


def test_table_names_channels_only_when_there_are_several(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("stereo.flac")
    assert "channel" not in capsys.readouterr().out
    emovox("stereo.flac", "--channels", "split")
    lines = capsys.readouterr().out.splitlines()[1:]
    assert {line.partition("channel ")[2][0] for line in lines} == {"0", "1"}


def test_speakers_are_told_apart_and_absent_unless_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(folder / "two.wav", np.concatenate([said(0, 3.0), said(1, 3.0)]))
    emovox("two.wav", "--format", "json", "--speakers", "2")
    (row,) = rows(capsys)
    assert {segment["speaker"] for segment in row["segments"]} == {0, 1}
    emovox("two.wav", "--format", "json")
    assert "speaker" not in capsys.readouterr().out
    emovox("two.wav", "--format", "csv", "--speakers", "auto")
    assert capsys.readouterr().out.startswith("file,row,start,end,channel,speaker,label")
    emovox("two.wav", "--format", "csv")
    assert capsys.readouterr().out.startswith("file,row,start,end,channel,label")
    emovox("two.wav", "--speakers", "2", "--adapt", "speaker")
    table = capsys.readouterr().out
    assert "speaker 1" in table
    assert "speaker 2" in table


def test_channels_choose(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for choice, channels in [("mix", {0}), ("split", {0, 1}), ("1", {1})]:
        emovox("stereo.flac", "--format", "json", "--channels", choice)
        assert {segment["channel"] for segment in rows(capsys)[0]["segments"]} == channels
    emovox("a.wav", "--format", "json", "--channels", "2", status=1)
    assert rows(capsys)[0]["error"]["code"] == "no_such_channel"


def test_threshold_withholds_the_label(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("a.wav", "--format", "json", "--threshold", "1")
    (row,) = rows(capsys)
    assert (row["label"], [notice["code"] for notice in row["warnings"]]) == (None, ["uncertain"])
    assert row["confidence"] == max(row["scores"].values())


def test_vtt_and_textgrid_of_one_recording(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("a.wav", "--format", "vtt")
    assert capsys.readouterr().out.startswith("WEBVTT\n\n00:00:00.")
    emovox("a.wav", "--format", "textgrid", "--output", "a.TextGrid")
    assert capsys.readouterr().out == ""
    assert (folder / "a.TextGrid").read_text(encoding="utf-8").startswith('File type = "ooTextFile"')


def test_vtt_of_several_recordings_fills_a_directory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "more").mkdir()
    save(folder / "more" / "a.wav", talk())
    emovox("a.wav", "stereo.flac", "more", "gone.wav", "--format", "vtt", "--output", "captions/new", status=1)
    assert sorted(p.name for p in (folder / "captions/new").iterdir()) == ["a-2.vtt", "a.vtt", "stereo.vtt"]
    assert "error: gone.wav: got no such file" in capsys.readouterr().err


@pytest.mark.parametrize("output", [[], ["--output", "a.wav"]])
def test_vtt_of_several_recordings_needs_a_directory(
    folder: Path, capsys: pytest.CaptureFixture[str], output: Sequence[str]
) -> None:
    emovox("a.wav", "stereo.flac", "--format", "vtt", *output, status=2)
    assert "got 2 recordings, but vtt has one per document; give --output DIRECTORY" in capsys.readouterr().err


def test_output_is_written_whole_or_not_at_all(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = folder / "out.json"
    emovox("a.wav", "--format", "json", "--output", "out.json")
    assert capsys.readouterr().out == ""
    before = target.read_bytes()
    assert json.loads(before)["results"][0]["file"] == "a.wav"

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Predictor, "predict", interrupted)
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        main(["predict", "--model", "toy.onnx", "a.wav", "--format", "json", "--output", "out.json"])
    assert target.read_bytes() == before
    assert [path.name for path in folder.glob(".*")] == []


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("x.csv", "file,row,start"),
        ("x.JSON", '{\n  "model"'),
        ("x.vtt", "WEBVTT"),
        ("x.TextGrid", "File type"),
        ("x.txt", "a.wav"),
        ("x", "a.wav"),
    ],
)
def test_the_suffix_of_the_output_names_the_format(folder: Path, name: str, start: str) -> None:
    emovox("a.wav", "--output", name)
    assert (folder / name).read_text(encoding="utf-8").startswith(start)


def test_a_suffix_that_does_not_fit_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("a.wav", "--output", "x.json", "--format", "csv", status=2)
    assert "got 'x.json' with --format csv, expected a name that ends in .csv" in capsys.readouterr().err
    emovox("a.wav", "--output", "x.xlsx", status=2)
    assert (
        "got 'x.xlsx', expected a name that ends in .txt, .json, .csv, .srt, .vtt, .TextGrid, or"
        in capsys.readouterr().err
    )
    assert not list(folder.glob("x.*"))


@pytest.mark.parametrize("name", ["thesis", "thesis.odt", "picture.csv"])
def test_a_file_of_another_kind_is_not_replaced(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (folder / name).write_bytes(b"PK\0 precious")
    emovox("a.wav", "--output", name, "--format", "csv", status=1)
    assert f"error: {name}: got an existing file of another kind" in capsys.readouterr().err
    assert (folder / name).read_bytes() == b"PK\0 precious"


def test_an_own_output_is_replaced_whatever_its_name(folder: Path) -> None:
    for _ in range(2):
        emovox("a.wav", "--output", "rows", "--format", "csv")


def test_a_picture_replaces_no_file_of_another_kind(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    (folder / "notes.md").write_text("precious")
    emovox("a.wav", "--plot", "notes.md", status=1)
    assert "notes.md: got an existing file of another kind" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="needs names of 255 bytes")
def test_a_name_too_long_for_its_captions_is_one_failed_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(folder / ("x" * 251 + ".wav"), talk())
    emovox("x" * 251 + ".wav", "a.wav", "--format", "textgrid", "--output", "grids", status=1)
    assert [path.name for path in (folder / "grids").iterdir()] == ["a.TextGrid"]
    captured = capsys.readouterr().err
    assert "cannot be written (File name too long)" in captured
    assert captured.endswith("1 of 2 could not be analysed\n")


def test_output_that_cannot_be_written_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("a.wav", "--output", "none/out.txt", status=1)
    assert "error: none/out.txt: cannot be written (No such file or directory)" in capsys.readouterr().err


def test_plot_draws_the_timeline(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    emovox("stereo.flac", "--channels", "split", "--plot", "a.png")
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.startswith("stereo.flac")
    emovox("a.wav", "--plot", "a.wav/a.png", status=1)
    assert "error: a.wav/a.png: cannot be written (" in capsys.readouterr().err
    emovox("a.wav", "stereo.flac", "--plot", "a.png", status=2)
    assert "got 2 recordings, expected one" in capsys.readouterr().err


def test_plot_without_matplotlib_says_how_to_get_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emovox.schema.extras.find_spec", lambda _: None)
    emovox("a.wav", "--plot", "a.png", status=1)
    assert capsys.readouterr().err == "error: --plot needs the extra 'plot': pip install 'emovox[plot]'\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.wav", "--channels", "left"], "got 'left', expected mix, split, or a channel number"),
        (["a.wav", "--threshold", "2"], "--threshold"),
        (["a.wav", "--format", "xml"], "--format"),
        (["a.wav", "--fromat", "json"], "--fromat"),
        (["a.wav", "--speakers", "0"], "speakers is 0, expected 1 to 20, or auto"),
        (["a.wav", "--speakers", "50"], "speakers is 50, expected 1 to 20, or auto"),
        (["a.wav", "--speakers", "many"], "speakers is 'many', expected 1 to 20, or auto"),
        (["a.wav", "--adapt", "speaker"], "speaker needs --speakers N or --speakers auto"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_exits_with_two(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], message: str
) -> None:
    emovox(*arguments, status=2)
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_unknown_model_and_bad_cards_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("a.wav", "--model", "svn", status=1)
    assert capsys.readouterr().err.startswith("error: no model 'svn': shipped are ")
    change_card(folder / "toy.json", sha256="0" * 64)
    emovox("a.wav", status=1)
    assert capsys.readouterr().err.startswith("error: toy.onnx: sha256 is ")
    change_card(folder / "toy.json", labels=["sad", "happy"])
    emovox("a.wav", status=1)
    captured = capsys.readouterr()
    assert captured.err.startswith("error: toy.json: golden vector has 7 scores, expected one for each of 2 labels")
    assert (captured.err.count("\n"), captured.out) == (1, "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> tuple[Terminal, Terminal]:
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("emovox.cli.console.REDRAW_SECONDS", 0.0)
    return out, err


def test_progress_and_colours_on_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    save(folder / "long.wav", np.tile(talk(), 6))
    out, err = on_terminal(monkeypatch)
    emovox("a.wav", "long.wav", "--threshold", "0")
    assert "\x1b[3" in out.getvalue()
    bars = [bar for bar in err.getvalue().split("\r\x1b[2K") if bar]
    assert [bar.split("  ")[-2:] for bar in bars[:2]] == [["0:06", "a.wav"], ["0:10", "long.wav"]]
    assert any(" 64%" in bar for bar in bars)
    assert err.getvalue().endswith("\r\x1b[2K")


def test_no_color_is_respected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out, _ = on_terminal(monkeypatch)
    emovox("a.wav")
    assert out.getvalue().startswith("a.wav")
    assert "\x1b" not in out.getvalue()


class TestTranscript:
    SAID = "1\n00:00:00,300 --> 00:00:02,200\nlow\n\n2\n00:00:04,200 --> 00:00:05,800\nhigh\n"

    def test_each_line_has_the_emotion_of_its_segment(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "a.srt").write_text(self.SAID)
        emovox("a.wav", "--transcript", "a.srt", "--format", "json", "--threshold", "0")
        (row,) = rows(capsys)
        emovox("a.wav", "--format", "json", "--threshold", "0")
        (plain,) = rows(capsys)
        lines = row.pop("lines")
        assert row == plain  # the voice is heard as without a transcript
        assert [line["text"] for line in lines] == ["low", "high"]
        first, last = plain["segments"][0], plain["segments"][-1]
        assert [line["label"] for line in lines] == [first["label"], last["label"]]
        assert lines[0]["scores"] == first["scores"]

    def test_captions_are_the_lines(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "a.srt").write_text(self.SAID)
        emovox("a.wav", "--transcript", "a.srt", "--output", "b.srt", "--threshold", "0")
        text = (folder / "b.srt").read_text()
        assert text.startswith("1\n00:00:00,300 --> 00:00:02,200\nlow [")
        emovox("a.wav", "--transcript", "a.srt", "--threshold", "0")
        assert capsys.readouterr().out.splitlines()[1].split()[-1] == "low"

    def test_one_of_another_recording_is_a_warning(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "a.srt").write_text(self.SAID.replace("00:00:05", "00:01:05"))
        emovox("a.wav", "--transcript", "a.srt", "--format", "json")
        (row,) = rows(capsys)
        assert [notice["code"] for notice in row["warnings"]] == ["transcript"]
        assert "lines" not in row
        assert row["segments"]

    def test_two_recordings_are_refused(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "a.srt").write_text(self.SAID)
        emovox("a.wav", "stereo.flac", "--transcript", "a.srt", status=2)
        assert "expected the one that it is the transcript of" in " ".join(capsys.readouterr().err.split())
        emovox("a.wav", "--transcript", "none.srt", status=1)
        assert "none.srt: cannot be read" in capsys.readouterr().err
        emovox("a.wav", "--transcript", "a.srt", "--output", "a.srt", status=1)
        assert "a.srt: got an input as the output" in capsys.readouterr().err
        assert (folder / "a.srt").read_text() == self.SAID

    @pytest.mark.parametrize(
        ("said", "message"),
        [
            ("", "got no line with text"),
            ("1\n00:00:02,000 --> 00:00:01,000\na\n", "from 2.0 to 1.0 s"),
            ("1\nx --> 00:00:01,000\na\n", "got the time 'x'"),
        ],
    )
    def test_with_a_bad_one_the_voice_is_analysed_all_the_same(
        self, folder: Path, capsys: pytest.CaptureFixture[str], said: str, message: str
    ) -> None:
        (folder / "a.srt").write_text(said)
        emovox("a.wav", "--transcript", "a.srt", "--format", "json")
        (row,) = rows(capsys)
        assert [notice["code"] for notice in row["warnings"]] == ["transcript"]
        assert message in row["warnings"][0]["message"]
        assert row["segments"]
        assert "lines" not in row
        emovox("a.wav", "--transcript", "a.srt", "--format", "vtt")
        shown = capsys.readouterr()
        assert message in shown.err
        assert shown.out.startswith("WEBVTT")


def test_coverage_shows_sets_of_labels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = CardSets(coverage=90, least=0.0, mean=90.0, worst=80.0, size=7.0, speakers=20)
    write_toy(folder, trust=CardTrust(sets=(sets,)))
    emovox("a.wav", "--coverage", "90")
    assert re.search(r"^  90 %: .*, .* or ", capsys.readouterr().out, re.MULTILINE)
    emovox("a.wav", "--coverage", "90", "--format", "json", "--adapt", "folder")
    (row,) = rows(capsys)
    assert set(row["label_set"]) == set(row["segments"][0]["label_set"]) == set(EMOTIONS)
    emovox("a.wav", "--coverage", "50", status=1)
    assert "coverage is 50, expected a percentage on the card of 'toy': 90" in capsys.readouterr().err
