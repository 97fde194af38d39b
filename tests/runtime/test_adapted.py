"""Predictions and streams that are adapted to a voice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emovox.audio.types import Samples
from emovox.runtime.folder_pass import FolderPass
from emovox.runtime.pipeline import Pipeline
from emovox.runtime.predictor import Predictor, load
from emovox.schema.errors import ConfigError, ModelError, SpeakerError
from emovox.schema.events import Event, SpeechEnded
from emovox.schema.result import Adapted
from emovox.testing import RATE, speech, write_toy

PAUSE = np.zeros(RATE, np.float32)
# Scores over another number of rows, for logits of hundreds.
ROUNDING = 1e-4


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(str(write_toy(tmp_path_factory.mktemp("toy"))))


def talk(*pitches: float, level: float = 0.3) -> Samples:
    return np.concatenate([part for hz in pitches for part in (speech(hz, seconds=2.5, level=level), PAUSE)])


CALL = talk(300.0, 1200.0, 2400.0)


def ended(events: list[Event]) -> list[SpeechEnded]:
    return [event for event in events if isinstance(event, SpeechEnded)]


class TestRecording:
    def test_plain_scores_stay_beside_adapted_ones(self, model: Predictor) -> None:
        plain, adapted = model.predict((CALL, RATE)), model.predict((CALL, RATE), adapt="recording")
        assert plain.adapted is None
        assert adapted.adapted is not None
        assert adapted.adapted.source == "recording"
        assert adapted.adapted.clips == len(plain.segments) > 1
        assert adapted.plain_scores == pytest.approx(plain.scores, abs=ROUNDING)
        for before, after in zip(plain.segments, adapted.segments, strict=True):
            assert (before.start, before.end) == (after.start, after.end)
            assert after.plain_scores == pytest.approx(before.scores, abs=ROUNDING)
        assert adapted.scores != pytest.approx(plain.scores, abs=0.01)

    def test_channels_have_voices_of_their_own(self, model: Predictor) -> None:
        both = np.stack([CALL, talk(300.0, 90.0, 180.0, level=0.05)])
        split = model.predict((both, RATE), channels="split", adapt="channel")
        for number, row in enumerate(both):
            alone = model.predict((row, RATE), adapt="recording")
            found = [segment for segment in split.segments if segment.channel == number]
            for one, other in zip(found, alone.segments, strict=True):
                assert one.scores == pytest.approx(other.scores, abs=ROUNDING)

    def test_without_speech_there_is_nothing_to_adapt(self, model: Predictor) -> None:
        result = model.predict((np.zeros(3 * RATE, np.float32), RATE), adapt="recording")
        assert result.label is None
        assert result.adapted == Adapted("recording", 0, 0.0)

    def test_a_folder_is_one_voice_of_several_recordings(self, model: Predictor) -> None:
        parts = [talk(300.0), talk(1200.0), talk(2400.0)]
        with FolderPass(model) as folder_pass:
            for part in parts:
                folder_pass.add(model.hear((part, RATE)), "a")
            folder_pass.add(model.hear((PAUSE, RATE)), "silent")
            *results, silent = folder_pass.results()
        whole = model.predict((CALL, RATE), adapt="recording")
        found = [segment for result in results for segment in result.segments]
        for one, other in zip(found, whole.segments, strict=True):
            assert one.scores == pytest.approx(other.scores, abs=0.02)  # tiles end where their recording does
        assert {result.adapted and result.adapted.clips for result in results} == {len(found)}
        assert silent.label is None

    def test_what_cannot_be_is_refused(self, model: Predictor, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="adapt is 'voice', expected off, recording, channel"):
            model.predict((CALL, RATE), adapt="voice")  # type: ignore[arg-type]
        stiff = load(str(write_toy(tmp_path, adapts=False)))
        with pytest.raises(ModelError, match="model 'toy' cannot adapt"):
            stiff.predict((CALL, RATE), adapt="recording")
        with pytest.raises(ModelError, match="model 'toy' cannot adapt"):
            stiff.learn((CALL, RATE))
        with pytest.raises(ModelError, match="model 'toy' cannot adapt"):
            stiff.stream(adapt=True)


class TestSpeaker:
    def test_learning_changes_what_is_predicted_and_shares_the_model(self, model: Predictor) -> None:
        pupil = model.for_speaker()
        first = pupil.learn((CALL, RATE))
        second = pupil.learn((talk(250.0), RATE), "sad")
        assert second.voice.clips == first.voice.clips + 1
        assert second.clips["sad"] == 1
        assert model.speaker is None
        result = pupil.predict((CALL, RATE))
        assert result.adapted == Adapted("speaker", second.voice.clips, round(second.voice.seconds, 3))
        assert result.plain_scores == pytest.approx(model.predict((CALL, RATE)).scores, abs=ROUNDING)
        named = model.for_speaker(second, name="ana")
        assert named.predict((CALL, RATE)).scores == pytest.approx(result.scores, abs=ROUNDING)
        assert named.predict((CALL, RATE)).adapted == Adapted("speaker ana", *_of(second))

    def test_a_source_is_where_adaptation_starts(self, model: Predictor) -> None:
        source = model.for_speaker().learn((CALL, RATE))
        line = model.for_speaker(source=source)
        assert line.predict((CALL, RATE)).adapted == Adapted("source", 0, 0.0)
        assert line.predict((CALL, RATE)).scores != pytest.approx(model.predict((CALL, RATE)).scores, abs=0.01)
        assert line.predict((CALL, RATE), adapt="recording").adapted is not None

    def test_a_head_learns_from_labelled_recordings_of_anybody(self, model: Predictor) -> None:
        low, high = (talk(250.0, 260.0, 270.0), RATE), (talk(2600.0, 2700.0, 2800.0, level=0.05), RATE)
        pupil = model.for_speaker()
        for audio, label in ((low, "sad"), (high, "fear"), (low, "sad"), (high, "fear")):
            profile = pupil.learn(audio, label, teach="head")
        assert profile.voice.clips == 0
        assert profile.learner is not None
        assert profile.learner.learnt
        assert len(profile.learner.replay) == 12
        for audio, label in ((low, "sad"), (high, "fear")):
            before, after = model.predict(audio), pupil.predict(audio)
            assert before.scores is not None
            assert after.scores is not None
            assert after.scores[label] > before.scores[label]
            assert after.plain_scores == pytest.approx(before.scores, abs=ROUNDING)
        line = model.for_speaker(source=profile)
        assert line.predict(low).scores == pytest.approx(pupil.predict(low).scores, abs=ROUNDING)
        with line.stream() as stream:
            events = ended(stream.feed(low[0]) + stream.flush())
        assert next(event.scores for event in events) == pytest.approx(
            line.predict(low).segments[0].scores, abs=ROUNDING
        )

    def test_a_head_and_a_voice_learn_together(self, model: Predictor) -> None:
        pupil = model.for_speaker()
        profile = pupil.learn((CALL, RATE), "sad", teach="both")
        assert profile.learner is not None
        assert profile.voice.clips == len(profile.learner.replay) == 3
        assert pupil.learn((CALL, RATE)).learner is profile.learner, "it stays as it is"
        with pytest.raises(SpeakerError, match="teach is 'head' without a label, expected one of neutral"):
            pupil.learn((CALL, RATE), teach="head")
        with pytest.raises(SpeakerError, match="teach is 'all', expected one of voice, head, both"):
            pupil.learn((CALL, RATE), "sad", teach="all")  # type: ignore[arg-type]

    def test_what_teaches_nothing_is_refused(self, model: Predictor, tmp_path: Path) -> None:
        pupil = model.for_speaker()
        with pytest.raises(SpeakerError, match="got the label 'bored', expected one of neutral, happy"):
            pupil.learn((CALL, RATE), "bored")
        with pytest.raises(SpeakerError, match="got no clear speech to learn from"):
            pupil.learn((np.zeros(RATE, np.float32), RATE))
        assert pupil.speaker is None
        known = pupil.learn((CALL, RATE))
        other = load(str(write_toy(tmp_path, sharpness=2.0)))
        with pytest.raises(SpeakerError, match="the profile belongs to model 'toy'"):
            other.for_speaker(known)
        with pytest.raises(ConfigError, match="for a predictor of one speaker"):
            pupil.predict((CALL, RATE), adapt="recording")


def _of(profile: object) -> tuple[int, float]:
    voice = profile.voice  # type: ignore[attr-defined]
    return voice.clips, round(voice.seconds, 3)


class TestStream:
    def test_a_call_is_learnt_tile_by_tile_in_any_chunking(self, model: Predictor) -> None:
        def heard(size: int) -> list[SpeechEnded]:
            with model.stream(adapt=True) as stream:
                chunks = [CALL[start : start + size] for start in range(0, len(CALL), size)]
                return ended([event for chunk in chunks for event in stream.feed(chunk)] + stream.flush())

        whole, plain = heard(len(CALL)), model.predict((CALL, RATE)).segments
        assert [event.adapted and event.adapted.clips for event in whole] == [1, 2, 3]
        assert whole[0].scores == pytest.approx(plain[0].scores, abs=ROUNDING), "nothing is known before the first"
        assert whole[2].scores != pytest.approx(plain[2].scores, abs=1e-3)
        assert whole[2].plain_scores == pytest.approx(plain[2].scores, abs=ROUNDING)
        for other in (heard(1600), heard(777)):
            for one, two in zip(other, whole, strict=True):
                assert one.scores == pytest.approx(two.scores, abs=ROUNDING)
                assert one.adapted == two.adapted

    def test_a_stream_that_begins_again_has_forgotten_the_call(self, model: Predictor) -> None:
        stream = model.stream(adapt=True)
        first = ended(stream.feed(CALL) + stream.flush())
        stream.reset()
        again = ended(stream.feed(CALL) + stream.flush())
        assert [event.scores for event in first] == [event.scores for event in again]

    def test_streams_of_different_speakers_share_a_pipeline(self, model: Predictor) -> None:
        speakers = [None, model.for_speaker().learn((CALL, RATE)), model.for_speaker().learn((talk(90.0, 99.0), RATE))]
        expected = []
        for speaker in speakers:
            with model.for_speaker(speaker).stream() as single:
                expected.append(ended([*single.feed(CALL), *single.flush()]))
        assert expected[0] != expected[1] != expected[2]
        with Pipeline(model) as pipeline:
            streams = [pipeline.open(speaker=speaker) for speaker in speakers]
            for stream in streams:
                stream.feed(CALL)
                stream.end()
            for stream, alone in zip(streams, expected, strict=True):
                events: list[Event] = []
                while not stream.is_done:
                    stream.wait(5)
                    events += stream.take()
                for event, other in zip(ended(events), alone, strict=True):
                    assert event.scores == pytest.approx(other.scores, abs=ROUNDING)
                    assert event.adapted == other.adapted
