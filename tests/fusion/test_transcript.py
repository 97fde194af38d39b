from __future__ import annotations

import json
from pathlib import Path

import pytest

from emovox.fusion.alignment import spoken_lines
from emovox.fusion.transcript import Line, read_transcript
from emovox.schema.errors import TranscriptError
from emovox.schema.result import Result, Segment

LINES = (Line(0.5, 1.75, "good morning"), Line(2.0, 3.5, "it is late & dark"))
WHISPER = {
    "text": "…",
    "segments": [
        {"id": 0, "start": 0.5, "end": 1.75, "text": " good  morning"},
        {"id": 1, "start": 2.0, "end": 3.5, "text": "it is late & dark", "words": []},
        {"id": 2, "start": 3.5, "end": 4.0, "text": " "},
    ],
}
FUNASR = [
    {
        "key": "a",
        "text": "…",
        "sentence_info": [
            {"start": 500, "end": 1750, "text": "good morning"},
            {"start": 2000, "end": 3500, "sentence": "it is late & dark"},
        ],
    }
]
SRT = "1\n00:00:00,500 --> 00:00:01,750\ngood\nmorning\n\n2\n00:00:02,000 --> 00:00:03,5\nit is <i>late</i> & dark\n"
VTT = (
    "WEBVTT - x\n\nNOTE a --\n\n00:00.500 --> 00:01.750 align:start\ngood morning\n\n"
    "cue\n00:00:02.000 --> 00:00:03.500\nit is late &amp; dark\n"
)
TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"
xmin = 0
xmax = 4
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 4
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.75
            text = "good morning"
        intervals [3]:
            xmin = 2
            xmax = 3.5
            text = "it is late & dark"
"""
CTM = ";; x\na 1 0.5 0.5 good\na 1 1.25 0.5 morning\na 1 2.75 0.5 it\n"


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


class TestForms:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.json", json.dumps(WHISPER)),
            ("a.json", json.dumps(FUNASR)),
            ("a.json", json.dumps(WHISPER["segments"])),
            ("a.srt", SRT),
            ("a.vtt", VTT),
            ("a.TextGrid", TEXTGRID),
        ],
    )
    def test_each_gives_the_same_lines(self, tmp_path: Path, name: str, text: str) -> None:
        assert read_transcript(written(tmp_path, name, text)) == LINES
        assert read_transcript(written(tmp_path, name, text.replace("\n", "\r\n"), "utf-16")) == LINES

    def test_words_of_a_ctm_are_lines_between_pauses(self, tmp_path: Path) -> None:
        lines = read_transcript(written(tmp_path, "a.ctm", CTM))
        assert lines == (Line(0.5, 1.75, "good morning"), Line(2.75, 3.25, "it"))

    def test_words_say_better_when_a_segment_begins(self, tmp_path: Path) -> None:
        words = [
            {"word": "good", "start": 0.7, "end": 0.9},
            {"word": "morning"},
            {"word": "all", "start": 1.0, "end": 1.5},
        ]
        segment = {"start": 0.0, "end": 2.0, "text": "good morning all", "words": words, "speaker": "SPEAKER_01"}
        path = written(tmp_path, "a.json", json.dumps({"segments": [segment]}))
        assert read_transcript(path) == (Line(0.7, 1.5, "good morning all", "SPEAKER_01"),)

    def test_characters_of_funasr_are_one_line(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a.json", json.dumps([{"text": "你好", "timestamp": [[500, 700], [700, 1000]]}]))
        assert read_transcript(path) == (Line(0.5, 1.0, "你好"),)

    def test_voices_of_captions_and_tiers_are_speakers(self, tmp_path: Path) -> None:
        vtt = written(tmp_path, "a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann Lee>yes</v>\n")
        assert read_transcript(vtt) == (Line(1.0, 2.0, "yes", "Ann Lee"),)
        second = TEXTGRID[TEXTGRID.index("    item [1]") :].replace('"words"', '"ben"').replace("good morning", "no")
        grid = written(tmp_path, "a.textgrid", TEXTGRID + second)
        assert [(line.text, line.speaker) for line in read_transcript(grid)][:2] == [
            ("good morning", "words"),
            ("no", "ben"),
        ]

    def test_without_a_mark_what_is_no_utf8_is_windows_1252(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a.srt", "1\n00:00:00,500 --> 00:00:01,000\nit’s fine\n", "cp1252")
        assert read_transcript(path) == (Line(0.5, 1.0, "it’s fine"),)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.docx", "x", "got the suffix '.docx', expected .json, .srt"),
        ("a.json", "{", r"cannot be read as \.json"),
        ("a.json", '{"words": []}', "expected 'segments'"),
        ("a.json", '{"segments": [{"start": null, "end": 1, "text": "a"}]}', "cannot be read as"),
        (
            "a.json",
            '{"segments": [{"start": -1, "end": 1, "text": "a"}]}',
            r"from -1\.0 to 1\.0 s, expected 0 <= start",
        ),
        ("a.srt", "1\n00:00:02,000 --> 00:00:01,000\na\n", r"from 2\.0 to 1\.0 s"),
        ("a.srt", "1\n0:x --> 00:00:01,000\na\n", "got the time '0:x'"),
        ("a.vtt", "WEBVTT\n", "got no line with text"),
        ("a.srt", "a\0b", "got binary data"),
        ("a.textgrid", 'File type = "ooTextFile"\n', "expected interval tiers"),
        ("a.ctm", "a 1 0.5", "cannot be read as"),
    ],
)
def test_bad_files_say_what_they_are(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(TranscriptError, match=message):
        read_transcript(written(tmp_path, name, text))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match="No such file"):
        read_transcript(tmp_path / "a.srt")


def segment(start: float, end: float, sad: float) -> Segment:
    scores = {"sad": sad, "happy": 1 - sad}
    return Segment(start, end, 0, max(scores, key=scores.__getitem__), max(scores.values()), scores)


RESULT = Result("a.wav", 10.0, "sad", 0.6, {}, {}, (), (segment(1, 3, 0.9), segment(3, 5, 0.1), segment(7, 9, 0.55)))


class TestAlignment:
    def test_a_line_has_the_mean_of_the_speech_at_its_time(self) -> None:
        first, both, none, unsure = spoken_lines(
            RESULT, [Line(1, 2, "a"), Line(2, 6, "b", "Ann"), Line(5.5, 6.5, "c"), Line(7, 8, "d")], threshold=0.6
        )
        assert (first.label, first.confidence) == ("sad", 0.9)
        assert (both.label, both.speaker) == ("happy", "Ann")  # a second of 0.9 and two of 0.1
        assert both.scores == pytest.approx({"sad": 1.1 / 3, "happy": 1.9 / 3})
        assert (none.label, none.confidence, none.scores) == (None, None, None)
        assert (unsure.label, unsure.confidence) == (None, 0.55)

    def test_a_touch_of_speech_says_nothing(self) -> None:
        touched, short = spoken_lines(RESULT, [Line(4.95, 6, "a"), Line(4.95, 5, "b")], threshold=0)
        assert (touched.label, short.label) == (None, "happy")

    def test_a_transcript_of_another_recording_is_an_error(self) -> None:
        assert spoken_lines(RESULT, [Line(9, 11.9, "a")], threshold=0)[0].label is None
        with pytest.raises(TranscriptError, match=r"ends at 12\.1 s, the recording a\.wav at 10\.0 s"):
            spoken_lines(RESULT, [Line(9, 12.1, "a")], threshold=0)

    def test_without_speech_no_line_has_a_label(self) -> None:
        silent = Result("a.wav", 10.0, None, None, None, {}, (), ())
        assert spoken_lines(silent, [Line(1, 2, "a")], threshold=0)[0].confidence is None
