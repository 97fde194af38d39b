from __future__ import annotations

import msgspec

from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted, rounded_event
from emovox.schema.result import Adapted, Failure, ModelInfo, Notice, Report, Result, Segment, rounded
from tests.schema.rows import FAILURE, RESULT, SILENT


def test_json_has_the_documented_shape() -> None:
    document = msgspec.json.decode(Report(ModelInfo("toy", "1.2.0"), (RESULT, FAILURE)).to_json())
    assert document == {
        "model": {"name": "toy", "version": "1.2.0"},
        "results": [
            {
                "file": "日本, a.wav",
                "duration": 4.25,
                "label": "angry",
                "confidence": 0.6667,
                "scores": {"sad": 0.3333, "angry": 0.6667},
                "shares": {"angry": 0.6667, "sad": 0.3333},
                "warnings": [{"code": "clipped", "message": "clipped"}],
                "segments": [
                    {
                        "start": 0.25,
                        "end": 2.25,
                        "channel": 0,
                        "label": "angry",
                        "confidence": 1.0,
                        "scores": {"sad": 0.0, "angry": 1.0},
                    },
                    {
                        "start": 2.25,
                        "end": 3.25,
                        "channel": 0,
                        "label": None,
                        "confidence": 0.5556,
                        "scores": {"sad": 0.5556, "angry": 0.4444},
                    },
                ],
            },
            {"file": "b.txt", "error": {"code": "undecodable", "message": 'not "audio"'}},
        ],
    }


def test_without_speech_everything_is_null() -> None:
    row = msgspec.json.decode(msgspec.json.encode(rounded(SILENT)))
    assert (row["label"], row["confidence"], row["scores"], row["shares"], row["segments"]) == (
        None,
        None,
        None,
        {},
        [],
    )


def test_rounding_leaves_the_original_alone() -> None:
    copy = rounded(RESULT)
    assert isinstance(copy, Result)
    assert (copy.confidence, RESULT.confidence) == (0.6667, 2 / 3)
    assert rounded(FAILURE) is FAILURE


def test_attributes_are_the_keys_of_the_json() -> None:
    keys = ("file", "duration", "label", "confidence", "scores", "shares", "warnings", "segments")
    more = ("adapted", "plain_scores", "lines", "coverage", "label_set", "modalities", "unfamiliarity")
    assert Result.__struct_fields__ == (*keys, *more)
    fields = ("start", "end", "channel", "label", "confidence", "scores")
    assert Segment.__struct_fields__ == (*fields, "plain_scores", "speaker", "label_set", "modalities", "code")
    assert Failure.__struct_fields__ == ("file", "error")
    assert Notice.__struct_fields__ == ("code", "message")


def test_keys_of_adaptation_are_there_only_with_it() -> None:
    segment = Segment(0.5, 2.0, 0, "sad", 1.0, {"sad": 1.0})
    result = Result("a.wav", 2.0, "sad", 1.0, {"sad": 1.0}, {"sad": 1.0}, (), (segment,))
    assert not {"adapted", "plain_scores"} & {*msgspec.to_builtins(result), *msgspec.to_builtins(segment)}
    adapted = msgspec.structs.replace(result, adapted=Adapted("recording", 2, 3.0), plain_scores={"sad": 1 / 3})
    assert msgspec.to_builtins(rounded(adapted))["plain_scores"] == {"sad": 0.3333}
    assert msgspec.to_builtins(adapted)["adapted"] == {"source": "recording", "clips": 2, "seconds": 3.0}


def test_events_carry_their_type() -> None:
    started = SpeechStarted(0, 1, 0.5)
    ended = SpeechEnded(0, 1, 0.5, 1.5, None, 0.4, {"sad": 0.4}, ())
    texts = [msgspec.json.encode(event) for event in (started, ended)]
    assert [msgspec.json.decode(text)["type"] for text in texts] == ["speech.started", "speech.ended"]
    assert [msgspec.json.decode(text, type=Event) for text in texts] == [started, ended]


def test_events_are_rounded_as_rows_are() -> None:
    scores = {"sad": 1 / 3, "angry": 2 / 3}
    short = {"sad": 0.3333, "angry": 0.6667}
    segment = Segment(0.5, 2.0, 0, "angry", 2 / 3, scores)
    ended = rounded_event(SpeechEnded(0, 0, 0.5, 2.0, "angry", 2 / 3, scores, (segment,)))
    updated = rounded_event(EmotionUpdated(0, 0, 0.5, 2.0, None, 2 / 3, scores))
    for event in (ended, updated):
        assert isinstance(event, SpeechEnded | EmotionUpdated)
        assert (event.scores, event.confidence) == (short, 0.6667)
    assert isinstance(ended, SpeechEnded)
    assert (ended.segments[0].scores, ended.segments[0].confidence) == (short, 0.6667)
    assert rounded_event(SpeechStarted(0, 0, 0.5)) == SpeechStarted(0, 0, 0.5)


def test_scores_of_each_modality_are_there_only_if_others_than_the_voice_were_asked_for() -> None:
    assert b"modalities" not in msgspec.json.encode(rounded(RESULT))
    scores = {"voice": {"sad": 1 / 3, "angry": 2 / 3}, "face": {"sad": 0.123456, "angry": 0.876544}}
    segment = msgspec.structs.replace(RESULT.segments[0], modalities=scores)
    row = rounded(msgspec.structs.replace(RESULT, modalities=scores, segments=(segment,)))
    assert isinstance(row, Result)
    expected = {"voice": {"sad": 0.3333, "angry": 0.6667}, "face": {"sad": 0.1235, "angry": 0.8765}}
    assert (row.modalities, row.segments[0].modalities) == (expected, expected)
