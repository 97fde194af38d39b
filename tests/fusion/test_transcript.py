from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from emovox.fusion.alignment import spoken_lines, with_transcript
from emovox.fusion.transcript import Line, Transcript, read_transcript
from emovox.runtime.predictor import load
from emovox.schema.errors import TranscriptError
from emovox.schema.result import Notice, Result, Segment
from emovox.testing import write_toy
from studies.transcript_words import PITCHES, encoded, made_call, right_words

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
        assert read_transcript(written(tmp_path, name, text)) == Transcript(LINES)
        assert read_transcript(written(tmp_path, name, text.replace("\n", "\r\n"), "utf-16")) == Transcript(LINES)

    def test_words_of_a_ctm_are_lines_between_pauses(self, tmp_path: Path) -> None:
        lines = read_transcript(written(tmp_path, "a.ctm", CTM)).lines
        assert lines == (Line(0.5, 1.75, "good morning"), Line(2.75, 3.25, "it"))

    def test_words_say_better_when_a_segment_begins(self, tmp_path: Path) -> None:
        words = [
            {"word": "good", "start": 0.7, "end": 0.9},
            {"word": "morning"},
            {"word": "all", "start": 1.0, "end": 1.5},
        ]
        segment = {"start": 0.0, "end": 2.0, "text": "good morning all", "words": words, "speaker": "SPEAKER_01"}
        path = written(tmp_path, "a.json", json.dumps({"segments": [segment]}))
        assert read_transcript(path).lines == (Line(0.7, 1.5, "good morning all", "SPEAKER_01"),)

    def test_characters_of_funasr_are_one_line(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a.json", json.dumps([{"text": "你好", "timestamp": [[500, 700], [700, 1000]]}]))
        assert read_transcript(path).lines == (Line(0.5, 1.0, "你好"),)

    def test_voices_of_captions_and_tiers_are_speakers(self, tmp_path: Path) -> None:
        vtt = written(tmp_path, "a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann Lee>yes</v>\n")
        assert read_transcript(vtt).lines == (Line(1.0, 2.0, "yes", "Ann Lee"),)
        second = TEXTGRID[TEXTGRID.index("    item [1]") :].replace('"words"', '"ben"').replace("good morning", "no")
        grid = written(tmp_path, "a.textgrid", TEXTGRID + second)
        assert [(line.text, line.speaker) for line in read_transcript(grid).lines or ()][:2] == [
            ("good morning", "words"),
            ("no", "ben"),
        ]

    @pytest.mark.parametrize(
        ("said", "encoding", "guess"),
        [
            ("it’s fine – naïve", "cp1252", "cp1252"),
            ("我的包裹没有来！再见。", "gb18030", "gb18030"),
            ("我的包裹", "utf-16-le", "utf-16-le"),
            ("it’s fine", "utf-16-be", "utf-16-be"),
            ("我的包裹 it’s", "utf-8", None),
            ("我的包裹 it’s", "utf-8-sig", None),
            ("我的包裹 it’s", "utf-16", None),
            ("我的包裹 it’s", "utf-32", None),
        ],
    )
    def test_encodings(self, tmp_path: Path, said: str, encoding: str, guess: str | None) -> None:
        path = written(tmp_path, "a.srt", f"1\n00:00:00,500 --> 00:00:01,000\n{said}\n", encoding)
        found = read_transcript(path)
        assert found.lines == (Line(0.5, 1.0, said),)
        assert [notice.code for notice in found.notices] == ["transcript"] * (guess is not None)
        assert guess is None or f"was read as {guess}; save it as UTF-8" in found.notices[0].message

    def test_bytes_of_no_encoding_are_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "a.srt"
        path.write_bytes(b"1\n00:00:00,500 --> 00:00:01,000\nA\x81B\n")
        assert read_transcript(path).lines == (Line(0.5, 1.0, "A\ufffdB"),)


class TestOverlaps:
    def test_of_one_speaker_are_said(self, tmp_path: Path) -> None:
        rows = [
            {"start": 0, "end": 4, "text": "a"},
            {"start": 3.4, "end": 5, "text": "b"},
            {"start": 1, "end": 9, "text": "c"},
        ]
        found = read_transcript(written(tmp_path, "a.json", json.dumps(rows)))
        (notice,) = found.notices
        assert notice.code == "transcript"
        assert "2 of 3 lines begin before the one before has ended, the first at 1.0 s" in notice.message
        assert [line.text for line in found.lines or ()] == ["a", "c", "b"]

    def test_of_two_speakers_and_of_a_moment_are_usual(self, tmp_path: Path) -> None:
        rows = [
            {"start": 0, "end": 4, "text": "a", "speaker": "Ann"},
            {"start": 1, "end": 2, "text": "b", "speaker": "Ben"},
            {"start": 3.6, "end": 5, "text": "c", "speaker": "Ann"},
        ]
        assert read_transcript(written(tmp_path, "a.json", json.dumps(rows))).notices == ()


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
        ("a.srt", "a\0\0b", "got binary data"),
        ("a.srt", "", "got no line with text"),
        ("a.json", '{"segments": []}', "got no line with text"),
        ("a.json", "[]", "got no line with text"),
        ("a.textgrid", 'File type = "ooTextFile"\n', "expected interval tiers"),
        ("a.ctm", "a 1 0.5", "cannot be read as"),
    ],
)
def test_bad_files_say_what_they_are(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(TranscriptError, match=message):
        read_transcript(written(tmp_path, name, text))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=r"a\.srt: cannot be read \(no such file\)"):
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


class TestDoubts:
    def test_a_good_transcript_gives_none(self) -> None:
        said = Transcript((Line(1, 2, "a"), Line(7, 9, "b")), (Notice("transcript", "odd"),))
        found = with_transcript(RESULT, said, threshold=0)
        assert [line.label for line in found.lines or ()] == ["sad", "sad"]
        assert found.warnings == said.notices

    @pytest.mark.parametrize(
        ("lines", "message", "kept"),
        [
            ((Line(9, 12.1, "a"),), "the transcript ends at 12.1 s", False),
            ((Line(5.2, 6, "a"), Line(9.5, 10, "b")), "2 of 2 lines of the transcript are outside the speech", True),
            ((Line(1, 2.5, "a"),), "the transcript ends at 2.5 s, and 75 % of the speech is later", True),
        ],
    )
    def test_lengths_and_places_of_another_recording(self, lines: tuple[Line, ...], message: str, kept: bool) -> None:
        found = with_transcript(RESULT, Transcript(lines), threshold=0)
        assert [notice.code for notice in found.warnings] == ["transcript"]
        assert message in found.warnings[0].message
        assert (found.lines is not None) is kept
        assert found.segments == RESULT.segments

    def test_one_that_cannot_be_used_leaves_the_voice(self) -> None:
        found = with_transcript(RESULT, Transcript(None, (Notice("transcript", "odd"),)), threshold=0)
        assert (found.lines, found.label, len(found.segments)) == (None, "sad", 3)

    def test_half_of_the_lines_may_be_of_another_party(self) -> None:
        said = Transcript((Line(1, 2, "a"), Line(5.2, 6.8, "b"), Line(9.2, 10, "c"), Line(7, 8, "d")))
        assert with_transcript(RESULT, said, threshold=0).warnings == ()


def test_words_at_known_times_get_the_emotion_of_their_speech(tmp_path: Path) -> None:
    predictor = load(str(write_toy(tmp_path, labels=tuple(PITCHES))))
    call, words = made_call(np.random.default_rng(1), utterances=8, pause=(0.8, 1.5))
    recording = encoded(call, 44100, "FLAC", "PCM_16")
    assert right_words(predictor, recording, words) >= 0.99 * len(words)
    late = [Line(word.start + 2, word.end + 2, word.text, word.speaker) for word in words]
    assert right_words(predictor, recording, late[:-8]) < 0.9 * len(words)  # the measure can fail
