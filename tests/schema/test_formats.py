from __future__ import annotations

import csv
import io
import json
import re

import msgspec

from emovox.schema.formats import SINGLE, SUFFIXES, csv_text, json_text, srt, textgrid, vtt
from emovox.schema.result import ModelInfo, Report, Result, Segment, SpokenLine
from tests.schema.rows import FAILURE, RESULT, SILENT

MODEL = ModelInfo("toy", "1.2.0")


def two_channels() -> Result:
    segments = (
        Segment(0.0, 1.5, 0, '<"sad" & low>', 0.9, {}),
        Segment(1.0, 3725.0625, 1, "happy", 0.8, {}),
    )
    return msgspec.structs.replace(RESULT, duration=4000.0, segments=segments)


def two_speakers(*channels: int) -> Result:
    segments = tuple(
        Segment(float(at), at + 1.0, channel, "sad", 0.9, {}, speaker=at % 2) for at, channel in enumerate(channels)
    )
    return msgspec.structs.replace(RESULT, duration=5.0, segments=segments)


def test_json_by_rows_is_the_report() -> None:
    for rows in [(), (RESULT,), (FAILURE, RESULT, SILENT)]:
        assert "".join(json_text(iter(rows), model=MODEL)) == Report(MODEL, rows).to_json()


def test_json_needs_one_row_at_a_time() -> None:
    taken = []

    def rows() -> list[Result]:
        taken.append(1)
        return [RESULT]

    pieces = json_text((row for _ in range(3) for row in rows()), model=MODEL)
    next(pieces)
    assert taken == []
    next(pieces)
    assert taken == [1]


def test_csv_has_lines_for_file_segments_and_errors() -> None:
    text = "".join(csv_text([RESULT, SILENT, FAILURE], labels=["sad", "angry"]))
    file, first, second, silent, error = csv.DictReader(io.StringIO(text))
    assert file == {
        "file": "日本, a.wav",
        "row": "file",
        "start": "0.0",
        "end": "4.25",
        "channel": "",
        "label": "angry",
        "confidence": "0.6667",
        "sad": "0.3333",
        "angry": "0.6667",
        "warnings": "clipped",
        "error": "",
    }
    assert [first["row"], first["start"], first["end"], first["channel"]] == ["segment", "0.25", "2.25", "0"]
    assert [second["label"], second["confidence"]] == ["", "0.5556"]
    assert [silent["label"], silent["sad"], silent["warnings"]] == ["", "", "no_speech"]
    assert [error["row"], error["error"]] == ["error", 'undecodable: not "audio"']


def test_csv_has_a_column_for_speakers_only_if_asked() -> None:
    labels = ["sad", "angry"]
    spoken = msgspec.structs.replace(
        RESULT, segments=tuple(msgspec.structs.replace(one, speaker=1) for one in RESULT.segments)
    )
    lines = list(csv.DictReader(io.StringIO("".join(csv_text([spoken, FAILURE], labels=labels, speakers=True)))))
    assert list(lines[0])[:6] == ["file", "row", "start", "end", "channel", "speaker"]
    assert [line["speaker"] for line in lines] == ["", "1", "1", ""]
    for line in lines:
        del line["speaker"]
    assert lines == list(csv.DictReader(io.StringIO("".join(csv_text([spoken, FAILURE], labels=labels)))))


def test_json_has_speakers_only_if_there_are_any() -> None:
    assert '"speaker": 1' in Report(MODEL, (two_speakers(0, 0),)).to_json()
    assert "speaker" not in Report(MODEL, (RESULT,)).to_json()


def test_vtt_has_a_cue_for_each_segment() -> None:
    assert vtt(RESULT) == (
        "WEBVTT\n\n00:00:00.250 --> 00:00:02.250\nangry 1.00\n\n00:00:02.250 --> 00:00:03.250\nuncertain 0.56\n"
    )


def test_vtt_names_channels_escapes_labels_and_counts_hours() -> None:
    text = vtt(two_channels())
    assert '<v channel 0>&lt;"sad" &amp; low&gt; 0.90\n' in text
    assert "00:00:01.000 --> 01:02:05.062\n<v channel 1>happy 0.80" in text


def test_vtt_names_speakers_from_1() -> None:
    assert re.findall("<v (.*?)>", vtt(two_speakers(0, 0))) == ["speaker 1", "speaker 2"]
    assert re.findall("<v (.*?)>", vtt(two_speakers(0, 3))) == ["channel 0, speaker 1", "channel 3, speaker 2"]


def test_vtt_without_speech_is_a_valid_empty_document() -> None:
    assert vtt(SILENT) == "WEBVTT\n"


def intervals(text: str) -> list[tuple[float, float, str]]:
    found = re.findall(r'intervals \[\d+\]:\n\s+xmin = (\S+)\n\s+xmax = (\S+)\n\s+text = "(.*)"\n', text)
    return [(float(low), float(high), label) for low, high, label in found]


def test_textgrid_fills_the_gaps() -> None:
    text = textgrid(RESULT)
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n')
    assert "intervals: size = 4" in text
    assert intervals(text) == [
        (0.0, 0.25, ""),
        (0.25, 2.25, "angry 1.00"),
        (2.25, 3.25, "uncertain 0.56"),
        (3.25, 4.25, ""),
    ]


def test_textgrid_has_a_tier_for_each_channel_without_holes() -> None:
    text = textgrid(two_channels())
    assert re.findall(r'name = "(.*)"', text) == ["emotion channel 0", "emotion channel 1"]
    found = intervals(text)
    assert found[0] == (0.0, 1.5, '<""sad"" & low> 0.90')
    assert [low for low, _, _ in found if low] == [high for _, high, _ in found if high < 4000.0]
    assert found[-1][1] == 4000.0


def test_textgrid_has_a_tier_for_each_speaker() -> None:
    text = textgrid(two_speakers(0, 0, 0))
    assert re.findall(r'name = "(.*)"', text) == ["emotion speaker 1", "emotion speaker 2"]
    assert [low for low, _, label in intervals(text) if label] == [0.0, 2.0, 1.0]
    both = textgrid(two_speakers(0, 1, 1))
    assert re.findall(r'name = "(.*)"', both) == [
        "emotion channel 0, speaker 1",
        "emotion channel 1, speaker 1",
        "emotion channel 1, speaker 2",
    ]


def test_textgrid_without_speech_is_one_empty_interval() -> None:
    assert intervals(textgrid(SILENT)) == [(0.0, 2.0, "")]


def test_every_single_format_has_a_suffix() -> None:
    assert set(SINGLE) == set(SUFFIXES) == {"srt", "vtt", "textgrid"}


def spoken() -> Result:
    scores = {"sad": 0.123456, "angry": 0.876544}
    lines = (
        SpokenLine(0.5, 1.0, "=a <b>, c", "angry", 0.876544, scores, "Ann"),
        SpokenLine(1.0, 2.0, 'so "x"', None, None, None),
    )
    return msgspec.structs.replace(RESULT, lines=lines)


class TestLines:
    """The lines of a transcript stand in every form."""

    def test_captions_are_the_lines(self) -> None:
        assert srt(spoken()) == (
            "1\n00:00:00,500 --> 00:00:01,000\nAnn: =a <b>, c [angry 0.88]\n\n"
            '2\n00:00:01,000 --> 00:00:02,000\nso "x" [no speech]\n'
        )
        assert "<v Ann>=a &lt;b&gt;, c [angry 0.88]" in vtt(spoken())

    def test_json_has_them_only_if_there_was_a_transcript(self) -> None:
        text = "".join(json_text([spoken()], model=ModelInfo("m", "1")))
        lines = json.loads(text)["results"][0]["lines"]
        assert lines[0]["scores"] == {"sad": 0.1235, "angry": 0.8765}
        assert (lines[0]["speaker"], lines[1]["label"], lines[1]["scores"]) == ("Ann", None, None)
        assert "lines" not in json.loads("".join(json_text([RESULT], model=ModelInfo("m", "1"))))["results"][0]

    def test_csv_has_a_row_for_each_and_their_text(self) -> None:
        rows = list(csv.DictReader("".join(csv_text([spoken()], labels=["sad", "angry"], lines=True)).splitlines()))
        assert [row["row"] for row in rows[-2:]] == ["line", "line"]
        assert (rows[-2]["text"], rows[-2]["angry"], rows[-1]["label"]) == ("'=a <b>, c", "0.8765", "")
        assert rows[0]["text"] == ""

    def test_textgrid_has_a_tier_of_words_and_one_of_emotions(self) -> None:
        text = textgrid(spoken())
        assert re.findall('name = "(.*)"', text)[-2:] == ["transcript", "emotion of lines"]
        assert 'text = "so ""x"""' in text
        assert 'text = "no speech"' in text


def test_sets_of_labels_are_a_column_and_the_captions() -> None:
    segments = tuple(msgspec.structs.replace(one, label_set=("sad", "angry", "happy")) for one in RESULT.segments)
    result = msgspec.structs.replace(RESULT, segments=segments, coverage=90, label_set=("angry", "sad"))
    found = list(csv.DictReader(io.StringIO("".join(csv_text([result, FAILURE], labels=["sad", "angry"], sets=True)))))
    assert [row["label_set"] for row in found] == ["angry|sad", "sad|angry|happy", "sad|angry|happy", ""]
    assert "sad, angry or happy" in vtt(result)
    spoken = msgspec.structs.replace(result, lines=(SpokenLine(0, 1, "a", None, None, None),))
    text = "".join(csv_text([spoken], labels=["sad", "angry"], sets=True, lines=True))
    assert [(row["text"], row["label_set"]) for row in csv.DictReader(io.StringIO(text))][-1] == ("a", "")
