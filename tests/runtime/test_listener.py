"""One source into one stream: the events of that stream alone, and nothing lost whatever ends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from emovox.audio.decode import open_decoder
from emovox.audio.live import LiveSource, Playback
from emovox.audio.reader import open_live
from emovox.audio.recorder import Recorder
from emovox.audio.types import ChannelChoice, Samples
from emovox.runtime.listener import Listener, TimedEvent
from emovox.runtime.model import Model
from emovox.runtime.pipeline import Pipeline
from emovox.runtime.predictor import Predictor
from emovox.schema.errors import ConfigError, EmptyAudioError, MicrophoneError, NonFiniteError, PipelineError
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted
from emovox.schema.result import Result
from emovox.testing import RATE, speech, write_toy

SCORE_TOLERANCE = 1e-5
PATIENCE = 0.05


class Done(NamedTuple):
    heard: list[TimedEvent]
    result: Result
    listener: Listener

    @property
    def events(self) -> list[Event]:
        return [one.event for one in self.heard]


class Broken(LiveSource):
    """Gives its samples, and then goes wrong."""

    def __init__(self, samples: Samples, *, failure: MicrophoneError | None = None) -> None:
        super().__init__(rate=RATE, channels=len(samples))
        self._samples, self._coming = samples, failure

    @property
    def lost(self) -> float:
        return 1.25

    def close(self) -> None:
        """Nothing to release."""

    def _chunks(self, frames: int) -> Iterator[tuple[Samples, float]]:
        for first in range(0, self._samples.shape[1], frames):
            yield self._samples[:, first : first + frames], 0.0
        self.damage = "the microphone stopped delivering sound"
        self.failure = self._coming


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor(Model.load(write_toy(tmp_path_factory.mktemp("toy"))))


def silence(seconds: float) -> Samples:
    return speech(150.0, seconds=seconds, level=0.0)


def talk() -> Samples:
    return np.concatenate([silence(0.7), speech(120.0, seconds=2.5), silence(1.2), speech(350.0, seconds=4.0)])


def run(
    predictor: Predictor,
    source: LiveSource,
    *,
    channels: ChannelChoice = "mix",
    numbers: Sequence[int] = (),
    save: Path | None = None,
) -> Done:
    with open_live(source, name="call", channels=channels) as reader, Pipeline(predictor) as pipeline:
        recorder = None if save is None else Recorder(save, rate=RATE, channels=reader.channels)
        stream = pipeline.open(channels=numbers or reader.channels)
        listener = Listener(source, reader, stream, recorder=recorder)
        listener.start()
        heard = []
        done = False
        while not done:
            done = listener.is_done
            heard += listener.take(PATIENCE)
        listener.close()
        return Done(heard, listener.result("call", threshold=0.0), listener)


def played(samples: Samples, *, realtime: bool = False) -> Playback:
    return Playback(open_decoder((samples, RATE), name="call"), realtime=realtime)


def alone(predictor: Predictor, samples: Samples) -> list[Event]:
    stream = predictor.stream(channels=len(np.atleast_2d(samples)))
    return stream.feed(samples) + stream.flush()


def but_previews(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, EmotionUpdated)]


def assert_same(ours: Sequence[Event], theirs: Sequence[Event]) -> None:
    assert [type(event) for event in ours] == [type(event) for event in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        left, right = msgspec.to_builtins(mine), msgspec.to_builtins(other)
        assert left.get("scores") == pytest.approx(right.get("scores"), abs=SCORE_TOLERANCE)
        for key in ("utterance", "channel", "start", "end", "label"):
            assert left.get(key) == right.get(key)


def test_a_file_gives_the_events_of_a_stream_alone(predictor: Predictor) -> None:
    done = run(predictor, played(talk()))
    expected = alone(predictor, talk())
    assert_same(but_previews(done.events), but_previews(expected))
    ends = [event.end for event in expected if isinstance(event, EmotionUpdated)]
    shown = [event.end for event in done.events if isinstance(event, EmotionUpdated)]
    assert set(shown) <= set(ends)
    assert len(shown) + done.listener.given_up == len(ends)
    assert all(one.latency is None for one in done.heard)


def test_in_real_time_previews_have_a_latency(predictor: Predictor) -> None:
    samples = np.concatenate([silence(0.4), speech(200.0, seconds=1.6)])
    done = run(predictor, played(samples, realtime=True))
    assert_same(but_previews(done.events), but_previews(alone(predictor, samples)))
    shown = [one for one in done.heard if isinstance(one.event, EmotionUpdated)]
    assert len(shown) + done.listener.given_up == 3
    assert all(one.latency is not None and 0 <= one.latency < 60 for one in shown)
    assert all(one.latency is None for one in done.heard if one not in shown)


def test_the_result_is_that_of_a_prediction(predictor: Predictor) -> None:
    done = run(predictor, played(talk()))
    expected = predictor.predict((talk(), RATE))
    spans = [(s.start, s.end, s.channel, s.label) for s in done.result.segments]
    assert spans == [(s.start, s.end, s.channel, s.label) for s in expected.segments]
    assert done.result.scores == pytest.approx(expected.scores, abs=SCORE_TOLERANCE)
    assert (done.result.file, done.result.duration, done.result.warnings) == ("call", expected.duration, ())


@pytest.mark.parametrize("channels", ["mix", "split"])
def test_the_stream_hears_what_is_saved(predictor: Predictor, tmp_path: Path, channels: ChannelChoice) -> None:
    samples = np.stack([talk(), np.roll(talk(), RATE)])
    path = tmp_path / "call.flac"
    done = run(predictor, played(samples), channels=channels, save=path)
    expected = predictor.predict(path, channels=channels)
    assert [(s.start, s.end, s.channel, s.label) for s in done.result.segments] == [
        (s.start, s.end, s.channel, s.label) for s in expected.segments
    ]
    assert len({segment.channel for segment in expected.segments}) == (2 if channels == "split" else 1)
    assert done.result.scores == pytest.approx(expected.scores, abs=SCORE_TOLERANCE)
    assert done.result.duration == expected.duration


def test_channels_have_the_numbers_that_they_have_in_the_source(predictor: Predictor) -> None:
    samples = np.stack([silence(8.4), talk()])
    done = run(predictor, played(samples), channels=1, numbers=[1])
    assert {event.channel for event in done.events} == {1}
    assert {segment.channel for segment in done.result.segments} == {1}
    assert done.result.segments


class TestEndings:
    def test_bad_samples_end_it_and_what_was_before_is_finished(self, predictor: Predictor, tmp_path: Path) -> None:
        samples = talk()
        samples[-RATE] = np.nan
        done = run(predictor, played(samples), save=tmp_path / "a.wav")
        assert isinstance(done.listener.error, NonFiniteError)
        assert [notice.code for notice in done.result.warnings] == ["non_finite"]
        assert isinstance(done.events[-1], SpeechEnded)
        expected = predictor.predict(tmp_path / "a.wav")
        assert [(s.start, s.end) for s in done.result.segments] == [(s.start, s.end) for s in expected.segments]
        assert expected.duration == done.result.duration > 7

    def test_a_microphone_that_is_gone(self, predictor: Predictor) -> None:
        failure = MicrophoneError("gone")
        done = run(predictor, Broken(talk()[None], failure=failure))
        assert done.listener.error is failure
        assert_same(but_previews(done.events), but_previews(alone(predictor, talk())))
        assert [notice.code for notice in done.result.warnings] == ["truncated", "lost", "microphone"]
        assert done.result.warnings[1].message == "1.25 s of sound were not taken in time"

    def test_a_microphone_that_gives_nothing(self, predictor: Predictor) -> None:
        failure = MicrophoneError("gone")
        done = run(predictor, Broken(np.empty((1, 0), np.float32), failure=failure))
        assert done.listener.error is failure
        assert done.result.duration == 0

    def test_an_empty_source_is_an_error_unless_it_was_stopped(self, predictor: Predictor) -> None:
        nothing = Broken(np.empty((1, 0), np.float32))
        nothing._chunks = lambda frames: iter(())  # type: ignore[method-assign]  # noqa: ARG005
        assert isinstance(run(predictor, nothing).listener.error, EmptyAudioError)
        source = played(talk())
        source.stop()
        done = run(predictor, source)
        assert done.listener.error is None
        assert done.result.segments == ()

    def test_a_full_disk(self, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write, written = Recorder.write, []

        def full(recorder: Recorder, samples: Samples) -> Samples:
            written.append(samples)
            if len(written) > 40:
                raise ConfigError("no room")
            return write(recorder, samples)

        monkeypatch.setattr(Recorder, "write", full)
        done = run(predictor, played(talk()), save=tmp_path / "a.flac")
        assert isinstance(done.listener.error, ConfigError)
        assert [type(event) for event in but_previews(done.events)] == [SpeechStarted, SpeechEnded]
        assert predictor.predict(tmp_path / "a.flac").duration == done.result.duration == 4.0

    def test_a_recording_that_cannot_be_closed(
        self, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def close(recorder: Recorder) -> None:
            raise PermissionError("read-only file system")

        monkeypatch.setattr(Recorder, "close", close)
        done = run(predictor, played(talk()), save=tmp_path / "a.flac")
        assert isinstance(done.listener.error, PermissionError)
        assert isinstance(done.events[-1], SpeechEnded), "what was heard is finished all the same"

    def test_a_model_that_fails(self, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(batch: Samples) -> None:
            raise RuntimeError(f"out of memory for {len(batch)}")

        monkeypatch.setattr(predictor.model, "run", fail, raising=False)
        with pytest.raises(PipelineError, match="out of memory"):
            run(predictor, played(talk()))

    def test_closing_ends_a_source_that_goes_on(self, predictor: Predictor) -> None:
        source = played(np.tile(talk(), 400), realtime=True)
        with open_live(source, name="call") as reader, Pipeline(predictor) as pipeline:
            listener = Listener(source, reader, pipeline.open())
            listener.start()
            listener.close()
            assert source.is_stopped
            assert not listener._thread.is_alive()
