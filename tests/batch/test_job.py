"""One recording, one answer: the settings of the job reach the model, and nothing about a recording is an exception."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

from emovox.batch.job import Answer, Item, Job, RecordingAnalyzer, Settings, stamp_of
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.schema.errors import ArchiveError, UnknownModelError
from emovox.schema.result import Result
from emovox.testing import RATE, speech, write_toy
from tests.batch.archives import write_bad, write_recording

SAME = 1e-6
"""Scores of the same audio, once in split channels and once alone."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy")).with_suffix(".onnx")


def job_of(calls: Path, model: Path, **changes: Any) -> Job:
    card = Model.load(model).card
    settings = Settings(
        emovox="1",
        model=card.name,
        version=card.version,
        sha256=card.sha256,
        licence=card.licence,
        licence_risk=card.licence_risk,
        channels="mix",
        threshold=0.0,
        vad=True,
    )
    return Job(str(calls), str(model), msgspec.structs.replace(settings, **changes))


def item(name: str | bytes, index: int = 0) -> Item:
    return Item(index, os.fsencode(name), 1)


def result_of(answer: Answer) -> Result:
    assert answer.error is None
    assert answer.result is not None
    return answer.result


def analysed(calls: Path, model: Path, name: str, **changes: Any) -> Result:
    return result_of(RecordingAnalyzer(job_of(calls, model, **changes))(item(name)))


def test_the_answer_is_that_of_predict_with_index_and_stamp(tmp_path: Path, model: Path) -> None:
    recording = write_recording(tmp_path / "deep" / "a.wav")
    answer = RecordingAnalyzer(job_of(tmp_path, model))(item("deep/a.wav", 7))
    assert answer.index == 7
    assert answer.stamp == (recording.stat().st_size, recording.stat().st_mtime_ns)
    assert result_of(answer) == Predictor(Model.load(model)).predict(str(recording), threshold=0.0)
    assert answer.result is not None
    assert answer.result.segments


def test_asking_twice_gives_the_same(tmp_path: Path, model: Path) -> None:
    """A recording may be given to a second worker when the first has died."""
    write_recording(tmp_path / "a.wav")
    write_recording(tmp_path / "b.wav", f0=300.0)
    analyse = RecordingAnalyzer(job_of(tmp_path, model))
    before = analyse(item("a.wav"))
    analyse(item("b.wav"))
    assert analyse(item("a.wav")) == before


class TestSettings:
    def test_the_threshold_withholds_labels(self, tmp_path: Path, model: Path) -> None:
        write_recording(tmp_path / "a.wav")
        assert analysed(tmp_path, model, "a.wav", threshold=0.0).label is not None
        assert analysed(tmp_path, model, "a.wav", threshold=1.0).label is None

    def test_without_voice_activity_silence_is_scored(self, tmp_path: Path, model: Path) -> None:
        soundfile.write(tmp_path / "a.wav", np.zeros(RATE, np.float32), RATE)
        assert analysed(tmp_path, model, "a.wav").segments == ()
        assert analysed(tmp_path, model, "a.wav", vad=False).segments

    def test_channels_are_chosen(self, tmp_path: Path, model: Path) -> None:
        sides = speech(120.0, seconds=1.2), speech(400.0, seconds=1.2)
        soundfile.write(tmp_path / "a.wav", np.stack(sides, axis=1), RATE)
        split = analysed(tmp_path, model, "a.wav", channels="split").segments
        assert {segment.channel for segment in split} == {0, 1}
        right = analysed(tmp_path, model, "a.wav", channels=1).segments
        assert {segment.channel for segment in right} == {1}
        assert [s.scores for s in split if s.channel == 1] == [pytest.approx(s.scores, abs=SAME) for s in right]


class TestModel:
    def test_another_one_than_the_work_was_begun_with_is_refused(self, tmp_path: Path, model: Path) -> None:
        """On another machine the same name may be another version."""
        with pytest.raises(ArchiveError, match=r"got sha256 [0-9a-f]{12}…, expected 000000000000… as at the start"):
            RecordingAnalyzer(job_of(tmp_path, model, sha256="0" * 64))

    def test_one_that_is_not_there_is_no_fault_of_a_recording(self, tmp_path: Path, model: Path) -> None:
        job = msgspec.structs.replace(job_of(tmp_path, model), model=str(tmp_path / "gone.onnx"))
        with pytest.raises(UnknownModelError):
            RecordingAnalyzer(job)


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("empty.wav", "empty"),
            ("text.wav", "undecodable"),
            ("nan.wav", "non_finite"),
            ("gone.wav", "unreadable"),
            ("half.flac", "undecodable"),
        ],
    )
    def test_what_is_wrong_is_the_answer_and_names_no_file(
        self, tmp_path: Path, model: Path, name: str, code: str
    ) -> None:
        """The name stands in a column of its own, and the folder in none."""
        write_bad(tmp_path)
        answer = RecordingAnalyzer(job_of(tmp_path, model))(item(name, 3))
        assert answer.error is not None
        assert (answer.index, answer.error.code, answer.result) == (3, code, None)
        assert str(tmp_path) not in answer.error.message
        assert (answer.stamp is None) == (name == "gone.wav")

    def test_a_disk_that_fails_while_it_is_read_is_the_answer(
        self, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_arguments: object, **_options: object) -> Result:
            raise OSError(5, "Input/output error")

        recording = write_recording(tmp_path / "a.wav")
        analyse = RecordingAnalyzer(job_of(tmp_path, model))
        monkeypatch.setattr(Predictor, "predict", fail)
        answer = analyse(item("a.wav"))
        assert answer.error is not None
        assert answer.error.code == "unreadable"
        assert "Input/output error" in answer.error.message
        assert answer.stamp == stamp_of(str(recording))

    def test_a_fault_of_the_program_is_the_answer_and_says_what_it_was(
        self, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else it ends one worker after the other, and is told as a lack of memory."""

        def fail(*_arguments: object, **_options: object) -> Result:
            raise IndexError("no place 7 in \udcff")

        recording = write_recording(tmp_path / "a.wav")
        analyse = RecordingAnalyzer(job_of(tmp_path, model))
        with monkeypatch.context() as patched:
            patched.setattr(Predictor, "predict", fail)
            answer = analyse(item("a.wav", 3))
        assert answer.error is not None
        assert (answer.index, answer.error.code, answer.result) == (3, "internal", None)
        assert r"(IndexError: no place 7 in \udcff)" in answer.error.message
        assert answer.stamp == stamp_of(str(recording))
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=Answer) == answer
        assert result_of(analyse(item("a.wav"))).segments

    @pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
    def test_a_lack_of_memory_and_an_end_from_outside_are_no_answer(
        self, error: type[BaseException], tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They are none of the recording's: it is given out again."""

        def fail(*_arguments: object, **_options: object) -> Result:
            raise error

        write_recording(tmp_path / "a.wav")
        analyse = RecordingAnalyzer(job_of(tmp_path, model))
        monkeypatch.setattr(Predictor, "predict", fail)
        with pytest.raises(error):
            analyse(item("a.wav"))


class TestStamp:
    def test_a_recording_that_changes_while_it_is_read_has_the_stamp_of_before(
        self, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So that work that is resumed looks at it again."""
        recording = write_recording(tmp_path / "a.wav")
        before = stamp_of(str(recording))
        predict = Predictor.predict

        def change(self: Predictor, source: str, **options: Any) -> Result:
            found = predict(self, source, **options)
            with recording.open("ab") as file:
                file.write(b"more")
            return found

        monkeypatch.setattr(Predictor, "predict", change)
        answer = RecordingAnalyzer(job_of(tmp_path, model))(item("a.wav"))
        assert answer.stamp == before != stamp_of(str(recording))

    def test_it_tells_size_and_time_and_none_where_nothing_is(self, tmp_path: Path) -> None:
        file = tmp_path / "a.wav"
        assert stamp_of(str(file)) is None
        file.write_bytes(b"four")
        os.utime(file, ns=(1, 2_000_000_000))
        assert stamp_of(str(file)) == (4, 2_000_000_000)


@pytest.mark.skipif(sys.platform != "linux", reason="only there a name is any bytes")
def test_a_name_that_is_no_utf8_is_found_after_a_journey_to_another_process(tmp_path: Path, model: Path) -> None:
    name = b"\xff\xfe.wav"
    write_recording(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)))
    sent = msgspec.msgpack.decode(msgspec.msgpack.encode(item(name, 2)), type=Item)
    answer = RecordingAnalyzer(job_of(tmp_path, model))(sent)
    assert result_of(answer).segments
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=Answer) == answer
