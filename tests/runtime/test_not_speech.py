"""Sounds that pass for speech and are none: no label, the code, and nothing of them in results, voices and heads."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from emovox.audio.types import Samples
from emovox.batch.job import Answer
from emovox.batch.tally import tally_of
from emovox.fusion.alignment import spoken_lines
from emovox.fusion.transcript import Line
from emovox.runtime.folder_pass import FolderPass
from emovox.runtime.pipeline import Pipeline
from emovox.runtime.predictor import Predictor, load
from emovox.schema.card import CardSpeech
from emovox.schema.errors import CardError, SpeakerError
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded
from emovox.schema.formats import csv_text, srt, verdict
from emovox.schema.result import NOT_SPEECH, Result
from emovox.testing import RATE, change_card, speech, write_toy
from emovox.testing.toys import SPEECH_HZ

SPEECH = CardSpeech(threshold=0.5, kept=0.999, refused=0.97)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(str(write_toy(tmp_path_factory.mktemp("toy"), speech=SPEECH)))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(str(write_toy(tmp_path_factory.mktemp("plain"))))


def voice() -> Samples:
    return speech(200.0, seconds=2.0)


def siren() -> Samples:
    return speech(SPEECH_HZ + 800, seconds=2.0)


def call() -> Samples:
    """A voice and, after a pause, a sound that voice activity detection takes for one."""
    return np.concatenate([voice(), np.zeros(RATE, np.float32), siren()])


def codes(result: Result) -> list[str]:
    return [notice.code for notice in result.warnings]


def events(fed: list[Event]) -> tuple[list[EmotionUpdated], list[SpeechEnded]]:
    return (
        [event for event in fed if isinstance(event, EmotionUpdated)],
        [event for event in fed if isinstance(event, SpeechEnded)],
    )


def test_another_sound_has_no_label_and_does_not_count(model: Predictor) -> None:
    result = model.predict((call(), RATE))
    said, other = result.segments
    assert (said.code, other.label, other.code) == (None, None, NOT_SPEECH)
    assert result.label == said.label
    assert result.scores == pytest.approx(said.scores)
    assert result.shares == {said.label: 1.0}
    assert codes(result) == [NOT_SPEECH]
    assert "2.2 of 4.4 s" in result.warnings[0].message


def test_nothing_but_other_sounds_has_neither_label_nor_scores(model: Predictor) -> None:
    result = model.predict((siren(), RATE))
    assert (result.label, result.confidence, result.scores, result.shares) == (None, None, None, {})
    assert [segment.code for segment in result.segments] == [NOT_SPEECH]
    assert codes(result) == [NOT_SPEECH]


def test_a_model_that_does_not_tell_says_what_it_said_before(model: Predictor, plain: Predictor) -> None:
    before, after = plain.predict((call(), RATE)), model.predict((call(), RATE))
    assert [segment.code for segment in before.segments] == [None, None]
    assert [one.scores for one in before.segments] == [one.scores for one in after.segments]
    assert plain.model.run(np.zeros((1, RATE), np.float32)).speech is None


def test_events_have_the_code_and_the_verdict_is_that_of_speech_alone(model: Predictor) -> None:
    stream = model.stream()
    updates, ends = events(stream.feed(call()) + stream.flush())
    assert [(end.code, end.label is None) for end in ends] == [(None, False), (NOT_SPEECH, True)]
    assert ends[1].confidence == max(ends[1].scores.values())
    assert {update.code for update in updates if update.end < 2} == {None}
    assert {(update.code, update.label) for update in updates if update.end > 3.9} == {(NOT_SPEECH, None)}
    together = np.concatenate([voice(), siren(), siren()])  # one utterance
    _, (end,) = events(stream.feed(together) + stream.flush())
    assert {segment.code for segment in end.segments} == {None, NOT_SPEECH}
    said = next(segment for segment in end.segments if segment.code is None)
    assert (end.code, end.label) == (None, said.label)
    assert end.scores == pytest.approx(said.scores)


def test_many_streams_say_the_same_as_one(model: Predictor) -> None:
    with Pipeline(model) as pipeline:
        stream = pipeline.open()
        stream.feed(call())
        stream.end()
        taken: list[Event] = []
        while not stream.is_done:
            stream.wait()
            taken += stream.take()
    assert [end.code for end in events(taken)[1]] == [None, NOT_SPEECH]


def test_what_is_scored_in_doubt_must_be_speech_too(model: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovox.runtime.first_pass.UNCERTAIN_PROBABILITY", -1.0)
    hiss = np.random.default_rng(0).normal(0, 0.05, 2 * RATE).astype(np.float32)  # as high as the toy's siren
    result = model.predict((hiss, RATE))
    assert codes(result) == ["speech_uncertain", NOT_SPEECH]
    assert result.scores is None


@pytest.mark.parametrize("adapt", ["recording", "channel"])
def test_adaptation_learns_from_speech_alone(model: Predictor, adapt: str) -> None:
    padded = np.concatenate([voice(), np.zeros(3 * RATE, np.float32)])
    adapted, alone = (model.predict((sound, RATE), adapt=adapt) for sound in (call(), padded))  # type: ignore[arg-type]
    assert adapted.adapted == alone.adapted
    np.testing.assert_allclose(list((adapted.scores or {}).values()), list((alone.scores or {}).values()), atol=1e-4)
    assert adapted.segments[1].plain_scores is None
    nothing = model.predict((siren(), RATE), adapt=adapt)  # type: ignore[arg-type]
    assert (nothing.scores, nothing.adapted is not None and nothing.adapted.clips) == (None, 0)


def test_a_stream_learns_from_speech_alone(model: Predictor) -> None:
    stream = model.stream(adapt=True)
    _, ends = events(stream.feed(call()) + stream.flush())
    assert [end.adapted.clips for end in ends if end.adapted] == [1, 1]
    assert ends[1].plain_scores is None


def test_a_folder_learns_from_speech_alone(model: Predictor) -> None:
    with FolderPass(model) as folder:
        for name, sound in (("a", siren()), ("a", call()), ("b", siren())):
            folder.add(model.hear((sound, RATE)), name)
        results = list(folder.results())
    assert [result.adapted.clips for result in results if result.adapted] == [0, 1, 0]
    assert [result.scores is None for result in results] == [True, False, True]


def test_teaching_takes_speech_alone(model: Predictor) -> None:
    teacher = model.for_speaker()
    with pytest.raises(SpeakerError, match="no clear speech"):
        teacher.learn((siren(), RATE))
    assert teacher.learn((call(), RATE), "sad", teach="both").voice.clips == 1


def test_lines_of_a_transcript_take_speech_alone(model: Predictor) -> None:
    result = model.predict((call(), RATE))
    said, other = spoken_lines(result, [Line(0.2, 1.8, "hello"), Line(3.2, 4.8, "wee-oo")], threshold=0.0)
    assert (said.label, other.label, other.scores) == (result.label, None, None)


def test_text_says_so(model: Predictor) -> None:
    result = model.predict((call(), RATE))
    rows = "".join(csv_text([result], labels=model.labels)).splitlines()
    assert rows[1].endswith(",not_speech,")
    assert rows[3].split(",")[1:6:4] == ["segment", ""]
    assert rows[3].endswith(",not_speech,")
    assert "not speech" in srt(result)
    assert verdict(result.segments[1]) == "not speech"
    seconds = tally_of([Answer(0, (1, 2), result)]).labels
    assert set(seconds) == {result.label, "not speech"}


def test_a_pickled_model_still_tells(model: Predictor) -> None:
    again = pickle.loads(pickle.dumps(model))
    assert codes(again.predict((siren(), RATE))) == [NOT_SPEECH]


def test_card_and_graph_must_agree(tmp_path: Path) -> None:
    told, plain = write_toy(tmp_path, name="told", speech=SPEECH), write_toy(tmp_path, name="plain")
    change_card(told, speech=None)
    with pytest.raises(CardError, match=r"outputs .*'speech'.*expected"):
        load(str(told))
    change_card(plain, speech={"threshold": 0.5, "kept": 1.0, "refused": 1.0})
    with pytest.raises(CardError, match=r"expected .*'speech'"):
        load(str(plain))


@pytest.mark.parametrize("name", ["threshold", "kept", "refused"])
def test_numbers_of_a_card_are_shares(tmp_path: Path, name: str) -> None:
    path = write_toy(tmp_path, speech=SPEECH)
    change_card(path, speech={"threshold": 0.5, "kept": 1.0, "refused": 1.0, name: 1.5})
    with pytest.raises(CardError, match="expected numbers from 0 to 1"):
        load(str(path))
