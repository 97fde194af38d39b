"""Predictions in the form that Hume documented become results; the JSON here is made, and nobody's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

from from_hume import main  # a script, no package


def prediction(begin: float, end: float, text: str | None = None, **emotions: float) -> dict[str, Any]:
    scores = {"Joy": 0.0, "Calmness": 0.0, "Surprise (positive)": 0.0, "Tiredness": 0.9} | emotions
    return {
        "text": text,
        "time": {"begin": begin, "end": end},
        "confidence": 0.9,
        "speaker_confidence": None,
        "emotions": [{"name": name, "score": score} for name, score in scores.items()],
    }


def job(**models: Any) -> list[dict[str, Any]]:
    return [
        {
            "source": {"type": "url", "url": "https://example.org/calls.zip"},
            "results": {"predictions": [{"file": "call.wav", "file_type": "audio", "models": models}], "errors": []},
        }
    ]


def prosody(*groups: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "metadata": {"confidence": 0.98, "detected_language": "en"},
        "grouped_predictions": [{"id": who, "predictions": own} for who, own in groups],
    }


class Converter:
    """Runs the script in this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path, self.capsys = folder / "predictions.json", capsys

    def rows(self, data: Any, *options: str) -> tuple[list[dict[str, Any]], str]:
        self.path.write_text(json.dumps(data), encoding="utf-8")
        main([str(self.path), *options])
        shown = self.capsys.readouterr()
        document = json.loads(shown.out)
        assert document["model"] == {"name": "hume-prosody", "version": "v0"}
        found: list[dict[str, Any]] = document["results"]
        return found, shown.err


@pytest.fixture
def convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Converter:
    return Converter(tmp_path, capsys)


def test_each_field_has_its_place(convert: Converter) -> None:
    first = prediction(2.0, 4.0, "Hello there", Calmness=0.3, Joy=0.1)
    second = prediction(0.5, 1.5, "Yes?", Joy=0.6, Anger=0.2)
    (row,), notes = convert.rows(job(prosody=prosody(("spk_0", [first]), ("spk_1", [second]))))
    assert notes == ""
    assert (row["file"], row["duration"]) == ("call.wav", 4.0)
    assert [notice["code"] for notice in row["warnings"]] == ["converted"]
    one, two = row["segments"]
    assert (one["start"], one["end"], one["label"], one["speaker"], one["channel"]) == (0.5, 1.5, "happy", 0, 0)
    assert one["scores"] == {
        "neutral": 0, "happy": 0.75, "sad": 0, "angry": 0.25, "fear": 0, "disgust": 0, "surprise": 0,
    }  # fmt: skip
    assert (two["label"], two["confidence"], two["speaker"]) == ("neutral", 0.75, 1)
    assert [(line["text"], line["label"], line["speaker"]) for line in row["lines"]] == [
        ("Yes?", "happy", "spk_1"),
        ("Hello there", "neutral", "spk_0"),
    ]
    assert row["scores"]["neutral"] == pytest.approx(0.5, abs=1e-4)  # two seconds of 0.75 and one of 0
    assert row["shares"] == pytest.approx({"neutral": 2 / 3, "happy": 1 / 3}, abs=1e-4)


def test_names_stay_if_asked_for(convert: Converter) -> None:
    (row,), _ = convert.rows(job(prosody=prosody(("unknown", [prediction(0, 1)]))), "--names")
    (segment,) = row["segments"]
    assert (segment["label"], segment["scores"]["Tiredness"]) == ("Tiredness", 0.9)
    assert "speaker" not in segment
    assert "lines" not in row


def test_other_models_and_failures_are_said(convert: Converter) -> None:
    data = job(prosody=prosody(("unknown", [prediction(0, 1), prediction(1, 1)])), face={"grouped_predictions": []})
    data[0]["results"]["errors"] = [{"message": "unsupported", "file": "b.txt"}]
    data.append({"source": {"type": "file", "filename": "c.wav"}, "results": None, "error": "not found"})
    rows, notes = convert.rows(data)
    assert notes == "note: call.wav: left out face; only prosody is converted\n"
    assert [(row["file"], row["error"]["message"]) for row in rows if "error" in row] == [
        ("b.txt", "unsupported"),
        ("c.wav", "not found"),
    ]
    assert [len(row["segments"]) for row in rows if "segments" in row] == [1]  # one of no length is no segment


def test_scores_of_none_of_the_labels_are_equal(convert: Converter) -> None:
    (row,), _ = convert.rows(job(prosody=prosody(("unknown", [prediction(0, 1, Joy=-0.1)]))))
    assert set(row["scores"].values()) == {0.1429}


def test_a_file_without_speech_has_no_label(convert: Converter) -> None:
    (row,), _ = convert.rows(job(prosody=prosody()))
    assert (row["label"], row["segments"]) == (None, [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", "expected the predictions of a batch job"),
        ({"results": []}, "expected the predictions of a batch job"),
        (job(prosody={"grouped_predictions": [{"id": "unknown", "predictions": [{"time": None}]}]}), "time"),
        (job(language={"grouped_predictions": []}), "holds no prediction of the prosody model"),
        ([], "holds no prediction of the prosody model"),
    ],
)
def test_other_input_is_an_error(convert: Converter, data: Any, message: str) -> None:
    convert.path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    with pytest.raises(SystemExit, match=message):
        main([str(convert.path)])
    assert convert.capsys.readouterr().out == ""


def test_a_missing_file_is_an_error(convert: Converter) -> None:
    with pytest.raises(SystemExit, match="No such file"):
        main([str(convert.path)])
