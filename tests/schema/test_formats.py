from __future__ import annotations

import csv
import io
import re

import msgspec

from emovox.schema.formats import SINGLE, SUFFIXES, csv_text, json_text, textgrid, vtt
from emovox.schema.result import ModelInfo, Report, Result, Segment
from tests.schema.rows import FAILURE, RESULT, SILENT

MODEL = ModelInfo("toy", "1.2.0")


def two_channels() -> Result:
    segments = (
        Segment(0.0, 1.5, 0, '<"sad" & low>', 0.9, {}),
        Segment(1.0, 3725.0625, 1, "happy", 0.8, {}),
    )
    return msgspec.structs.replace(RESULT, duration=4000.0, segments=segments)


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


def test_vtt_has_a_cue_for_each_segment() -> None:
    assert vtt(RESULT) == (
        "WEBVTT\n\n00:00:00.250 --> 00:00:02.250\nangry 1.00\n\n00:00:02.250 --> 00:00:03.250\nuncertain 0.56\n"
    )


def test_vtt_names_channels_escapes_labels_and_counts_hours() -> None:
    text = vtt(two_channels())
    assert '<v channel 0>&lt;"sad" &amp; low&gt; 0.90\n' in text
    assert "00:00:01.000 --> 01:02:05.062\n<v channel 1>happy 0.80" in text


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


def test_textgrid_without_speech_is_one_empty_interval() -> None:
    assert intervals(textgrid(SILENT)) == [(0.0, 2.0, "")]


def test_every_single_format_has_a_suffix() -> None:
    assert set(SINGLE) == set(SUFFIXES) == {"vtt", "textgrid"}
